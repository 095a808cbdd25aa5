/**
 * XMP of an upright picture: orientation 1, sizes as the picture has them, and no words about a
 * thumbnail, a gain map or other pictures, which an .ltp file does not hold. A packet is altered as
 * text, tag by tag. The twin of src/latentpress/image/xmp.py; source: ISO 16684-1.
 */

const NAME = "[A-Za-z_][\\w.-]*(?::[\\w.-]+)?";
// a name is taken whole: where no tag ends, each part of a long one would be tried otherwise
const TAG = new RegExp(`<(/?)(${NAME})(?![\\w.-])([^<>]*?)(/?)>`, "g");
const ATTRIBUTE = new RegExp(`(?<!\\s)\\s+(${NAME})\\s*=\\s*(?:"[^"]*"|'[^']*')`, "g");
const PREFIX = /xmlns:([\w.-]+)\s*=\s*["']([^"']*)["']/g;
const FRAME = /^(?:x:\w+|rdf:\w+|xmlns:[\w.-]+|xml:lang)$/; // of a packet that says nothing
const LEFT_OUT = "(?:xmp|xap):Thumbnails|xmpNote:HasExtendedXMP";
const GONE = new Set([ // namespaces that speak of what lies beside the picture
  "http://ns.adobe.com/hdr-gain-map/1.0/",
  "http://ns.apple.com/HDRGainMap/1.0/",
  "http://ns.google.com/photos/1.0/container/",
  "http://ns.google.com/photos/1.0/container/item/",
]);
const CAMERA = "http://ns.google.com/photos/1.0/camera/"; // whose names of a video go
const ORIENTATION = /(tiff:Orientation\s*=\s*["']\s*|<tiff:Orientation>\s*)([1-8])(?=\s*["'<])/g;
const NUMBER = ")(\\s*=\\s*[\"']\\s*|>\\s*)\\d{1,9}(?=\\s*[\"'<])";
const WIDTH = new RegExp(`(exif:PixelXDimension|tiff:ImageWidth${NUMBER}`, "g");
const HEIGHT = new RegExp(`(exif:PixelYDimension|tiff:ImageLength${NUMBER}`, "g");

/**
 * @param {Uint8Array} xmp the packet, in UTF-8
 * @returns {number} its orientation, 1 to 8; 0 where it has none
 */
export function xmpOrientation(xmp) {
  const [match] = [...text(xmp).matchAll(ORIENTATION)];
  return match ? Number(match[2]) : 0;
}

/**
 * @param {Uint8Array} xmp the packet, in UTF-8
 * @param {number} width of the upright picture
 * @param {number} height
 * @returns {Uint8Array | null} the packet for that picture; null where nothing is left in it
 */
export function uprightXmp(xmp, width, height) {
  const packet = text(xmp).replace(ORIENTATION, "$11");
  const prefixes = [...packet.matchAll(PREFIX)];
  const of = (/** @type {(space: string) => boolean} */ wanted) =>
    prefixes.filter((match) => wanted(match[2])).map((match) => escaped(match[1])).join("|");
  const gone = of((space) => GONE.has(space));
  const camera = of((space) => space === CAMERA);
  const names = [
    LEFT_OUT,
    ...(gone ? [`(?:${gone}):[\\w.-]+|xmlns:(?:${gone})`] : []),
    ...(camera ? [`(?:${camera}):(?:MotionPhoto|MicroVideo)\\w*`] : []),
  ];
  const found = withoutNames(packet, new RegExp(`^(?:${names.join("|")})$`));
  if (found === null) return bytes(packet); // damaged: kept as it is
  const sized = found.replace(WIDTH, `$1$2${width}`).replace(HEIGHT, `$1$2${height}`);
  return sized !== packet && isEmpty(sized) ? null : bytes(sized);
}

/**
 * The packet without the elements, with all in them, and the attributes of these names; null where
 * such an element does not end.
 * @param {string} packet
 * @param {RegExp} wanted
 */
function withoutNames(packet, wanted) {
  let out = "";
  let position = 0; // what is before it is in `out`, or left out
  let inside = ""; // the name of the element that is being left out
  let depth = 0;
  for (const tag of packet.matchAll(TAG)) {
    const [whole, isEnd, name, attributes, isWhole] = tag;
    const end = tag.index + whole.length;
    if (inside) {
      if (name === inside && !isWhole) depth += isEnd ? -1 : 1;
      if (depth === 0) {
        inside = "";
        position = end;
      }
    } else if (wanted.test(name)) {
      out += packet.slice(position, tag.index);
      position = end;
      if (!isEnd && !isWhole) {
        inside = name;
        depth = 1;
      }
    } else {
      const start = tag.index + 1 + isEnd.length + name.length;
      const left = attributes.replace(ATTRIBUTE, (all, key) => (wanted.test(key) ? "" : all));
      out += packet.slice(position, start) + left;
      position = start + attributes.length;
    }
  }
  return inside ? null : out + packet.slice(position);
}

/**
 * @param {string} packet
 * @returns {boolean} whether it holds its frame alone: no property, no text
 */
function isEmpty(packet) {
  for (const [, isEnd, name, attributes] of packet.matchAll(TAG)) {
    const keys = isEnd ? [] : [...attributes.matchAll(ATTRIBUTE)].map((match) => match[1]);
    if (![name, ...keys].every((key) => FRAME.test(key))) return false;
  }
  return /^[ \t\r\n\0\xef\xbb\xbf]*$/.test(packet.replace(/<[^<>]*>/g, ""));
}

/** @param {string} prefix */
function escaped(prefix) {
  return prefix.replace(/[.-]/g, "\\$&");
}

/**
 * Bytes as the characters of the same numbers, so that none of them is lost.
 * @param {Uint8Array} data
 */
function text(data) {
  let out = "";
  for (let at = 0; at < data.length; at += 8192) {
    out += String.fromCharCode(...data.subarray(at, at + 8192));
  }
  return out;
}

/** @param {string} characters */
function bytes(characters) {
  return Uint8Array.from(characters, (character) => character.charCodeAt(0));
}
