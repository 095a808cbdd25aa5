// The service worker: the page and the decoder are kept when the page is first opened, the
// encoder's models when they are first used. So the page works without a network. Whatever is kept
// is asked of the server, not of the browser's HTTP cache, which may hold an older version.

/* the build writes the list of files here */

// pages at other paths of the host have their own, and <ltp-img> its models
const OWN = `latentpress-page ${new URL("./", self.location.href).pathname} `;
const CACHE = OWN + VERSION;

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll(KEPT.map((path) => new Request(path, { cache: "no-cache" })));
  })());
});

self.addEventListener("message", ({ data }) => {
  if (data === "take over") self.skipWaiting();  // see offline.js
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith(OWN) && name !== CACHE) await caches.delete(name);
    }
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const home = new URL("./", self.location.href);
  if (event.request.method !== "GET" || !url.href.startsWith(home.href)) return;
  const path = url.pathname.slice(home.pathname.length);
  if (path.startsWith("open/")) return;  // files of the user are never kept
  event.respondWith(answer(event.request, path));
});

/** What is kept, else what the server says; models are kept then. */
async function answer(request, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path === "" || path === "index.html" ? "./" : request,
    { ignoreSearch: true, ignoreVary: true });  // a host's "Vary: Origin" means nothing here
  // a host may have led from "./" to "index.html": no browser takes that for the page it asked for
  if (kept) return kept.redirected ? new Response(kept.body, kept) : kept;
  if (!path.startsWith("models/")) return fetch(request);
  const response = await fetch(request, { cache: "no-cache" });
  // where there is no room to keep it, it is asked for again
  if (response.ok) await cache.put(request, response.clone()).catch(() => {});
  return response;
}
