"""The page for browsers: its files, the server that shows it, and the build as one HTML file.

The page itself (JavaScript, CSS, WASM) lies in web/ of a checkout and in web_assets/ of an
installed package; the models are the package's own.
"""
