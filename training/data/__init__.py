"""Pictures for training: packs of files, a store of pixels on the device, crops cut there."""
