/** Types of the package `latentpress`: readers and writers of .ltp pictures. */

export type ErrorKind = "format" | "version" | "limit" | "model" | "image";

/** One sentence for a person, and what kind of thing went wrong. */
export class LtpError extends Error {
  constructor(kind: ErrorKind, message: string);
  kind: ErrorKind;
  /** Of the kind "limit", from `encode` with `maxBytes`: the least bytes that a file takes. */
  least?: number;
}

export interface Manifest {
  model_hash: string;
  sha256: Record<string, string>;
}

/** Where the weights come from: the files of the manifest, "tables.npz" and "engine.wasm". */
export interface Models {
  manifest: Manifest;
  read(name: string): Promise<ArrayBuffer | Uint8Array>;
}

export interface FetchOptions {
  /** The files but model.json are read with ".gz" behind their names. */
  packed?: boolean;
  fetch?: (url: string) => Promise<Response>;
}

/** Models of a folder on a server. */
export function fetchModels(baseUrl: string | URL, options?: FetchOptions): Promise<Models>;

/** Models that a page carries: bytes by name, or base64 of gzip. */
export function embeddedModels(
  manifest: Manifest,
  files: Record<string, string | Uint8Array>,
): Models;

export interface ChunkRow {
  type: number;
  name: string;
  size: number;
  offset: number;
}

export interface Header {
  version: number;
  space: string;
  spaceId: number;
  modelHash: string;
  width: number;
  height: number;
  /** 0 to 100, in hundredths */
  quality: number;
  /** bits of the whole file a pixel */
  bpp: number;
  size: number;
  chunks: ChunkRow[];
  /** bytes of each kind of metadata that is there */
  metadata: Record<string, number>;
}

export interface Metadata {
  icc: Uint8Array | null;
  /** a TIFF stream */
  exif: Uint8Array | null;
  xmp: Uint8Array | null;
  text: [string, string][];
  /** dots an inch, across and down */
  density: [number, number] | null;
}

/** A worker, as the page sees it. */
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  terminate(): void;
  ref?(): void;
  unref?(): void;
}

export interface Workers {
  /** 0: the thread that calls does the work */
  count: number;
  create(): Port;
}

export interface DecodeOptions {
  /** The largest picture that is taken; MAX_PIXELS without. */
  maxPixels?: number;
  /** 0 to 1 */
  onProgress?: (fraction: number) => void;
  /** Rows of RGBA as they finish, in bands from several places. */
  onRows?: (rows: {
    first: number;
    count: number;
    width: number;
    height: number;
    pixels: Uint8ClampedArray;
  }) => void;
  signal?: AbortSignal;
  /** Reads the AVIF pictures of a screen layer, as RGBA; by default the browser does. */
  decodeImage?: (
    file: Uint8Array,
    type: string,
  ) => Promise<{ width: number; height: number; data: ArrayLike<number> }>;
}

export interface Options extends DecodeOptions {
  /** By default those of the folder `models` beside `src`. */
  models?: Models;
  /** By default as many as there are cores, at most four; 0 where there are no web workers. */
  workers?: number | Workers;
}

export interface Decoded {
  width: number;
  height: number;
  /** gray, gray and alpha, RGB, RGBA */
  channels: 1 | 2 | 3 | 4;
  /** RGBA, always */
  pixels: Uint8ClampedArray;
  /** in browsers */
  bitmap(): Promise<ImageBitmap>;
  metadata: Metadata;
  header: Header;
}

export interface Latent {
  channels: number;
  rows: number;
  columns: number;
  /** plane after plane: (channels, rows, columns) */
  data: Float32Array;
}

/** The most pixels of a picture that is decoded, unless more are asked for. */
export const MAX_PIXELS: number;

/** What a file says of itself, without its pixels; needs no model. */
export function readHeader(bytes: ArrayBuffer | Uint8Array): Header;

/** Decode a file. */
export function decode(bytes: ArrayBuffer | Uint8Array, options?: Options): Promise<Decoded>;

/** The latent of a file. */
export function latent(bytes: ArrayBuffer | Uint8Array, options?: Options): Promise<Latent>;

export interface EncodeOptions {
  /** 0 to 100 */
  quality?: number;
  maxBytes?: number;
  /**
   * photo: all of it becomes a latent. auto, the default: what can be kept exactly in as few bytes
   * is.
   */
  content?: "auto" | "photo";
  models?: Models;
  onProgress?: (fraction: number) => void;
  signal?: AbortSignal;
  /**
   * Called at most once. exact: the file holds every pixel as it is. drawn: the picture looks like a
   * screenshot, a drawing or a fine pattern, which Python's command presses better.
   */
  onNotice?: (notice: "exact" | "drawn") => void;
}

export interface Pixels {
  width: number;
  height: number;
  /** RGBA, not premultiplied */
  data: Uint8Array | Uint8ClampedArray;
  /** Of the upright picture. */
  metadata?: Partial<Metadata>;
}

/** Encode a picture; the encoder is loaded when it is first used. */
export function encode(
  source: Pixels | Blob | ImageBitmap | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas,
  options?: EncodeOptions,
): Promise<Uint8Array>;

/** A decoder that keeps its workers until it is closed. */
export class Decoder {
  constructor(parts: { models: Models; workers?: Workers });
  decode(bytes: ArrayBuffer | Uint8Array, options?: DecodeOptions): Promise<Decoded>;
  latent(bytes: ArrayBuffer | Uint8Array, options?: DecodeOptions): Promise<Latent>;
  close(): Promise<void>;
}
