"""Pictures for training: packs of files, one store of pixels in the device's memory, crops cut there."""
