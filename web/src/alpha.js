export function decodeAlpha(body, w, h) { return new Uint8Array(w*h).fill(body[0]); }
