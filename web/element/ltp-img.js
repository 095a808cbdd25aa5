/**
 * `<ltp-img src="photo.ltp" alt="A harbor" fallback="photo.jpg"></ltp-img>`: a picture of a .ltp
 * file on any page.
 *
 *     <script type="module" src="latentpress/element/ltp-img.js"></script>
 *
 * Attributes: src, alt; width and height in CSS pixels; loading, "lazy" unless "eager"; fallback,
 * the address of a picture of another format; models, the folder of the model. What stands inside
 * the element is shown where this script does not run, where decoding fails and there is no
 * `fallback`, and on paper where the picture has not been decoded.
 *
 * Events: "load" when the picture is shown, "error" when it is not; the reason is in `error`.
 */

import { hasSimd } from "../src/engine.js";
import { decode } from "../src/index.js";
import { modelsOf } from "./model_store.js";
import { fetchStart, fetchWhole } from "./source.js";

const MODELS = new URL("../models/lp1/", import.meta.url).href;
const AHEAD = "600px"; // how far below the window a picture is decoded
const STYLE = `
  :host { display: inline-block; max-width: 100%; overflow: hidden; vertical-align: bottom; }
  :host([hidden]) { display: none; }
  .picture { display: block; width: 100%; height: 100%; object-fit: inherit; }
  slot { display: none; }
  .failed slot { display: contents; }
  @media print { .waiting slot { display: contents; } }
`;

/** Decodings of a page come one after the other: each may take much memory. */
let queue = /** @type {Promise<unknown>} */ (Promise.resolve());

/** The element. */
export class LtpImage extends HTMLElement {
  static observedAttributes = ["src", "alt", "width", "height", "fallback", "loading", "models"];

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    this.sizing = new CSSStyleSheet();
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style, this.sizing];
    this.frame = document.createElement("div");
    this.frame.style.display = "contents";
    this.frame.append(document.createElement("slot"));
    root.append(this.frame);
    this.internals = this.attachInternals();
    /** @type {AbortController | null} null where the picture has to be loaded, or anew */
    this.work = null;
    /** @type {Error | null} why there is no picture */
    this.error = null;
    this.naturalWidth = 0;
    this.naturalHeight = 0;
    this.complete = false;
  }

  connectedCallback() {
    this.describe();
    if (this.work) this.reserve();
    else this.renew();
  }

  disconnectedCallback() {
    if (!this.complete || this.error) this.giveUp(); // what is whole stays, and may be moved
  }

  /**
   * @param {string} name
   * @param {string | null} before
   * @param {string | null} after
   */
  attributeChangedCallback(name, before, after) {
    if (before === after || (name === "loading" && this.complete)) return;
    const isPicture = !["alt", "width", "height"].includes(name);
    if (!this.isConnected) {
      if (isPicture) this.giveUp();
    } else if (isPicture) this.renew();
    else if (name === "alt") this.describe();
    else this.reserve();
  }

  /** Let the picture be loaded anew when the element is next on a page. */
  giveUp() {
    this.work?.abort();
    this.work = null;
  }

  /** For screen readers: an image with this name, or with an empty one an ornament. */
  describe() {
    const alt = this.getAttribute("alt");
    this.internals.role = alt === "" ? "presentation" : "img";
    this.internals.ariaLabel = alt;
  }

  /** Load the picture anew, once all attributes have been set that are being set now. */
  renew() {
    this.work?.abort();
    this.work = new AbortController();
    const { signal } = this.work;
    this.frame.className = "waiting";
    this.frame.querySelector(".picture")?.remove();
    this.complete = false;
    this.error = null;
    [this.naturalWidth, this.naturalHeight] = [0, 0];
    this.reserve();
    queueMicrotask(() => signal.aborted || this.load(signal));
  }

  /** @param {AbortSignal} signal */
  async load(signal) {
    const src = this.getAttribute("src");
    if (!src) return;
    try {
      if (!hasSimd()) throw new Error("this browser lacks SIMD in WebAssembly");
      const url = new URL(src, document.baseURI).href;
      const isSized = this.asked("width") && this.asked("height");
      const start = isSized ? null : await fetchStart(url, signal);
      if (start?.size) this.know(start.size);
      if (this.getAttribute("loading") !== "eager") await seen(this, signal);
      const bytes = start?.whole ?? (await fetchWhole(url, signal));
      const models = await modelsOf(this.folder);
      const result = await inTurn(signal, () => decode(bytes, { models, signal }));
      const picture = await drawn(result);
      signal.throwIfAborted();
      this.know(result);
      this.show(picture, "done");
      this.end("load");
    } catch (error) {
      if (signal.aborted) return;
      this.error = /** @type {Error} */ (error);
      await this.fail(signal);
    }
  }

  /** The address of the folder of the model. */
  get folder() {
    const asked = this.getAttribute("models");
    return asked ? new URL(asked, document.baseURI).href : MODELS;
  }

  /**
   * @param {string} side
   * @returns {number} the attribute's CSS pixels, 0 where there are none
   */
  asked(side) {
    return Math.max(0, Number(this.getAttribute(side)) || 0);
  }

  /** @param {{width: number, height: number}} size of the picture */
  know({ width, height }) {
    [this.naturalWidth, this.naturalHeight] = [width, height];
    this.reserve();
  }

  /** Take the room that the picture will need, so that nothing moves when it comes. */
  reserve() {
    const [askedWidth, askedHeight] = [this.asked("width"), this.asked("height")];
    const [w, h] = [this.naturalWidth || askedWidth, this.naturalHeight || askedHeight];
    if (!w || !h) {
      this.sizing.replaceSync("");
      return;
    }
    const width = askedWidth || (askedHeight ? (askedHeight * w) / h : w);
    const ratio = askedWidth && askedHeight ? `${askedWidth} / ${askedHeight}` : `${w} / ${h}`;
    this.sizing.replaceSync(`:host { width: ${width}px; aspect-ratio: ${ratio}; }`);
  }

  /**
   * @param {HTMLElement} picture
   * @param {string} state
   */
  show(picture, state) {
    picture.className = "picture";
    picture.setAttribute("aria-hidden", "true"); // the host has the role and the name
    this.frame.querySelector(".picture")?.remove();
    this.frame.append(picture);
    this.frame.className = state;
  }

  /**
   * Show the fallback, else what stands inside.
   *
   * @param {AbortSignal} signal
   */
  async fail(signal) {
    const fallback = this.getAttribute("fallback");
    const image = fallback && (await loaded(fallback).catch(() => null));
    if (signal.aborted) return;
    if (image) {
      const size = { width: image.naturalWidth, height: image.naturalHeight };
      if (!this.naturalWidth) this.know(size);
      this.show(image, "fallback");
    } else {
      this.frame.className = "failed";
      this.sizing.replaceSync("");
    }
    this.end("error");
  }

  /** @param {string} event */
  end(event) {
    this.complete = true;
    this.dispatchEvent(new Event(event));
  }
}

/**
 * @param {Element} element
 * @param {AbortSignal} signal
 * @returns {Promise<void>} when the element is in the window, or nearly
 */
function seen(element, signal) {
  return new Promise((resolve, reject) => {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        resolve();
      },
      { rootMargin: AHEAD },
    );
    observer.observe(element);
    signal.addEventListener("abort", () => {
      observer.disconnect();
      reject(signal.reason);
    });
  });
}

/**
 * @template T
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} job
 * @returns {Promise<T>}
 */
function inTurn(signal, job) {
  const run = queue.then(() => {
    signal.throwIfAborted();
    return job();
  });
  queue = run.catch(() => {});
  return run;
}

/**
 * @param {string} address of a picture that the browser reads
 * @returns {Promise<HTMLImageElement>} decoded
 */
async function loaded(address) {
  const image = new Image();
  image.src = new URL(address, document.baseURI).href;
  await image.decode();
  return image;
}

/**
 * @param {import("../src/decoder.js").Decoded} result
 * @returns {Promise<HTMLElement>} the picture; an image where it has a color profile, which the
 *   browser does not read of a canvas
 */
async function drawn(result) {
  if (result.metadata.icc?.length) {
    const { png } = await import("../page/png.js");
    const { width, height, channels, pixels, metadata } = result;
    const image = new Image();
    const blob = await png({ width, height, channels, pixels, metadata: { icc: metadata.icc } });
    image.src = URL.createObjectURL(blob);
    try {
      await image.decode();
    } finally {
      URL.revokeObjectURL(image.src);
    }
    return image;
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [result.width, result.height];
  const pixels = /** @type {any} */ (result.pixels);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, result.width), 0, 0);
  return canvas;
}

if (!customElements.get("ltp-img")) customElements.define("ltp-img", LtpImage);
