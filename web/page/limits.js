/** The largest picture that the page opens or presses, in pixels. */
export const MAX_PIXELS = 64_000_000;
/** Pixels of decoded pictures that are kept; those shown longest ago are decoded again. */
export const KEPT_PIXELS = 40_000_000;
