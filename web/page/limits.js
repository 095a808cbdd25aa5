/** Pixels of decoded pictures that are kept; those shown longest ago are decoded again. */
export const KEPT_PIXELS = 16_000_000;
