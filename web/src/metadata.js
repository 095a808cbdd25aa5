export function decodeMetadata(chunks) { return {}; }
