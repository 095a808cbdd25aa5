/**
 * EXIF of an upright picture: orientation 1, sizes as the picture has them, no thumbnail. The block
 * is altered where it stands, so that offsets within it stay true. The twin of
 * src/latentpress/image/exif.py; source: Exif 2.32 (CIPA DC-008), TIFF 6.0.
 */

const ENTRY = 12;
const MAX_SUB_IFDS = 2; // of one tag in one IFD: a hostile block may have thousands
const ORIENTATION = 0x0112;
const X_RESOLUTION = 0x011a;
const RESOLUTION_UNIT = 0x0128;
const CENTIMETER = 3; // of that unit; else it is an inch
const EXIF_IFD = 0x8769;
const GPS_IFD = 0x8825;
const INTEROPERABILITY_IFD = 0xa005;
const WIDTHS = [0x0100, 0xa002];
const HEIGHTS = [0x0101, 0xa003];
const TYPE_BYTES = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4];
// where the bytes of a thumbnail stand, and how many there are: of a JPEG, of strips
const THUMBNAIL_DATA = [[0x0201, 0x0202], [0x0111, 0x0117]];

/** @typedef {{tag: number, type: number, length: number, at: number}} Entry */
/** @typedef {{start: number, entries: Entry[], next: number, link: number}} Directory */
/** @typedef {[number, number]} Range the first byte, and the one behind the last */

/**
 * @param {Uint8Array} exif a TIFF stream
 * @returns {number} its orientation, 1 to 8; 0 where it has none
 */
export function exifOrientation(exif) {
  const block = new Block(exif);
  const row = block.orientations()[0];
  return row === undefined ? 0 : block.number(row);
}

/**
 * @param {Uint8Array} exif a TIFF stream
 * @returns {number} dots an inch, across, that it says; NaN where it says none
 */
export function exifResolution(exif) {
  try {
    const block = new Block(exif);
    const { entries } = block.directory(block.u32(4));
    const unit = entries.find((row) => row.tag === RESOLUTION_UNIT && row.type === 3);
    const across = entries.find((row) => row.tag === X_RESOLUTION && row.type === 5);
    if (!unit || !across) return NaN;
    const at = block.u32(across.at + 8); // of a fraction
    const dots = block.u32(at) / block.u32(at + 4);
    return block.number(unit) === CENTIMETER ? dots * 2.54 : dots;
  } catch (error) {
    return damaged(error, NaN);
  }
}

/**
 * @param {Uint8Array} exif a TIFF stream
 * @param {number} width of the upright picture
 * @param {number} height
 * @returns {Uint8Array} the block for that picture, not longer than it was; a damaged one as it is
 */
export function uprightExif(exif, width, height) {
  const block = new Block(exif.slice());
  let first;
  for (const row of block.orientations()) block.setNumber(row, 1);
  try {
    first = block.directory(block.u32(4));
  } catch (error) {
    return damaged(error, block.bytes);
  }
  const main = [first, ...block.subDirectories(first, EXIF_IFD)];
  for (const directory of main.slice(1)) {
    main.push(...block.subDirectories(directory, INTEROPERABILITY_IFD));
  }
  main.push(...block.subDirectories(first, GPS_IFD));
  for (const directory of main) {
    block.setNumbers(directory, WIDTHS, width);
    block.setNumbers(directory, HEIGHTS, height);
  }
  const kept = [/** @type {Range} */ ([0, 8]), ...main.flatMap((d) => block.ranges(d))];
  return block.without(block.takeThumbnail(first), kept);
}

/**
 * @template T
 * @param {unknown} error
 * @param {T} otherwise
 * @returns {T} where the block is damaged
 */
function damaged(error, otherwise) {
  if (error instanceof RangeError) return otherwise;
  throw error;
}

/** The bytes of a block, and how to find one's way in them; RangeError beyond their end. */
class Block {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.little = bytes[0] === 0x49;
  }

  /** @param {number} at */
  u16(at) {
    return this.view.getUint16(at, this.little);
  }

  /** @param {number} at */
  u32(at) {
    return this.view.getUint32(at, this.little);
  }

  /** RangeError where the bytes do not begin as a TIFF stream. */
  checkOrder() {
    const order = this.u16(0);
    if (order !== (this.little ? 0x4949 : 0x4d4d)) throw new RangeError("no TIFF stream");
  }

  /**
   * @param {number} at
   * @returns {Entry}
   */
  entry(at) {
    return { tag: this.u16(at), type: this.u16(at + 2), length: this.u32(at + 4), at };
  }

  /**
   * @param {number} start
   * @returns {Directory}
   */
  directory(start) {
    this.checkOrder();
    const count = this.u16(start);
    const link = start + 2 + ENTRY * count;
    if (link > this.bytes.length) throw new RangeError("the last row is cut off");
    const entries = Array.from({ length: count }, (_, i) => this.entry(start + 2 + ENTRY * i));
    return { start, entries, next: link + 4 <= this.bytes.length ? this.u32(link) : 0, link };
  }

  /**
   * @returns {Entry[]} the rows of the first IFD that hold an orientation of 1 to 8; where it is
   *   damaged, those before the damage
   */
  orientations() {
    /** @type {Entry[]} */
    const found = [];
    try {
      this.checkOrder();
      const start = this.u32(4);
      const rows = this.u16(start);
      for (let at = start + 2; at < start + 2 + ENTRY * rows; at += ENTRY) {
        const row = this.entry(at);
        const isOne = row.tag === ORIENTATION && row.length === 1 && [1, 3, 4].includes(row.type);
        if (isOne && this.number(row) >= 1 && this.number(row) <= 8) found.push(row);
      }
      return found;
    } catch (error) {
      return damaged(error, found);
    }
  }

  /** @param {Entry} row of type BYTE, SHORT or LONG */
  number({ type, at }) {
    if (type === 1) return this.bytes[at + 8];
    return type === 3 ? this.u16(at + 8) : this.u32(at + 8);
  }

  /**
   * @param {Entry} row of type BYTE, SHORT or LONG
   * @param {number} value
   */
  setNumber({ type, at }, value) {
    if (type === 1) this.bytes[at + 8] = value;
    else if (type === 3) this.view.setUint16(at + 8, value, this.little);
    else this.view.setUint32(at + 8, value, this.little);
  }

  /**
   * Write a number into the rows with these tags that hold one.
   * @param {Directory} directory
   * @param {number[]} tags
   * @param {number} value at most 65,535
   */
  setNumbers(directory, tags, value) {
    for (const row of directory.entries) {
      const isNumber = row.length === 1 && (row.type === 3 || row.type === 4);
      if (tags.includes(row.tag) && isNumber) this.setNumber(row, value);
    }
  }

  /**
   * The IFDs that the rows with this tag lead to; one that is damaged is left out.
   * @param {Directory} directory
   * @param {number} tag
   */
  subDirectories(directory, tag) {
    const rows = directory.entries.filter((row) => row.tag === tag && row.length === 1);
    const starts = [...new Set(rows.map((row) => this.u32(row.at + 8)))].sort((a, b) => a - b);
    return starts.slice(0, MAX_SUB_IFDS).flatMap((start) => {
      try {
        return [this.directory(start)];
      } catch (error) {
        return damaged(error, []);
      }
    });
  }

  /**
   * The bytes of an IFD, and those of its values that stand elsewhere.
   * @param {Directory} directory
   * @returns {Range[]}
   */
  ranges({ start, entries, link }) {
    /** @type {Range[]} */
    const found = [[start, link + 4]];
    for (const { type, length, at } of entries) {
      const size = (TYPE_BYTES[type] ?? 0) * length;
      if (size > 4) found.push([this.u32(at + 8), this.u32(at + 8) + size]);
    }
    return found;
  }

  /**
   * Take the thumbnail's IFD off the chain.
   * @param {Directory} first
   * @returns {Range[]} what belonged to it
   */
  takeThumbnail(first) {
    if (!first.next) return [];
    this.view.setUint32(first.link, 0);
    try {
      const thumbnail = this.directory(first.next);
      const gone = this.ranges(thumbnail);
      for (const [place, length] of THUMBNAIL_DATA) {
        const sizes = this.values(thumbnail, length);
        this.values(thumbnail, place).slice(0, sizes.length).forEach((start, i) => {
          gone.push([start, start + sizes[i]]);
        });
      }
      return gone;
    } catch (error) {
      return damaged(error, []);
    }
  }

  /**
   * The whole numbers of a row, as many as the block holds.
   * @param {Directory} directory
   * @param {number} tag
   * @returns {number[]}
   */
  values(directory, tag) {
    const row = directory.entries.find((e) => e.tag === tag && (e.type === 3 || e.type === 4));
    if (!row) return [];
    const size = TYPE_BYTES[row.type];
    const start = size * row.length > 4 ? this.u32(row.at + 8) : row.at + 8;
    const end = Math.min(start + size * row.length, this.bytes.length - size + 1);
    const found = [];
    for (let at = start; at < end; at += size) {
      found.push(row.type === 3 ? this.u16(at) : this.u32(at));
    }
    return found;
  }

  /**
   * The block with zeros in the ranges that are gone and not kept, and without those at its end.
   * @param {Range[]} gone
   * @param {Range[]} kept
   */
  without(gone, kept) {
    const { bytes } = this;
    const [isGone, isKept] = [this.covered(gone), this.covered(kept)];
    let end = 0;
    for (let i = 0; i < bytes.length; i++) {
      if (isGone[i] && !isKept[i]) bytes[i] = 0;
      else end = i + 1;
    }
    return bytes.subarray(0, end);
  }

  /**
   * Which bytes lie in one of the ranges. Each range is counted at its ends alone: a hostile block
   * may have a great many that span it.
   * @param {Range[]} ranges
   * @returns {Int32Array} for each byte, in how many it lies
   */
  covered(ranges) {
    const size = this.bytes.length;
    const found = new Int32Array(size + 1);
    for (const [start, end] of ranges) {
      found[Math.min(start, size)]++;
      found[Math.min(end, size)]--;
    }
    for (let i = 1; i < size; i++) found[i] += found[i - 1];
    return found;
  }
}
