// dom.js builds DOM nodes. Text only ever becomes a text node: nothing on this page parses a message as HTML.

/**
 * h makes an element.
 * @param {string} tag
 * @param {Object} [attrs] attributes; `class`, `on<event>` listeners, `data` for the dataset; null and false are left out
 * @param {...(Node|string|null|Array)} children strings become text nodes
 */
export function h(tag, attrs, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  return add(node, children);
}

/** add appends children to a node, flattening lists and leaving out nothings. */
export function add(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child);
  }
  return node;
}

/** fragment gathers nodes without an element around them. */
export function fragment(...children) {
  return add(document.createDocumentFragment(), children);
}

const WEB = new Set(["http:", "https:", "mailto:", "tel:"]);

/**
 * link makes an anchor that leaves the page in a new tab. An address of another scheme (javascript:, data:, …) is
 * shown as its label alone.
 */
export function link(url, label, attrs) {
  const scheme = schemeOf(url);
  if (!WEB.has(scheme)) return fragment(label ?? url);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", ...attrs }, label ?? url);
}

function schemeOf(url) {
  try {
    return new URL(url).protocol;
  } catch {
    return "";
  }
}
