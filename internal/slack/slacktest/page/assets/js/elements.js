// elements.js draws block elements that are pressed or looked at; fields.js draws those that hold a value.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { openMenu } from "./menu.js";
import { plain } from "./tokens.js";
import { field } from "./fields.js";

/**
 * element draws one block element.
 * @param {Object} el the element
 * @param {string} blockId of the block around it
 * @param {Object} surface where it stands: a message or a modal (see surface.js)
 * @param {Object} [input] of an input block: {label, dispatches}
 */
export function element(el, blockId, surface, input) {
  switch (el.type) {
    case "button": return button(el, blockId, surface);
    case "overflow": return overflow(el, blockId, surface);
    case "image": return picture(el.image_url, el.alt_text, "image-element");
    default: return field(el, blockId, surface, input) ?? notDrawn(el.type);
  }
}

/** notDrawn is the honest box for what this page has no drawing for. */
export function notDrawn(type) {
  return h("div", { class: "not-drawn" }, `Not drawn here: ${type}`);
}

/**
 * picture shows an image of the page's own origin or of a data URL. The page fetches nothing from elsewhere, so any
 * other image is its description with a link.
 */
export function picture(url, alt, kind) {
  const near = url && (url.startsWith("data:image/") || new URL(url, location.href).origin === location.origin);
  if (near) return h("img", { class: kind, src: url, alt });
  return h("span", { class: `${kind} far-image`, role: "img", "aria-label": alt, title: url ?? "" }, icon("eye", 16), h("span", null, alt));
}

function button(el, blockId, surface) {
  const key = surface.keyOf(blockId, el.action_id);
  const common = {
    class: `btn ${el.style ?? ""}`,
    "aria-label": el.accessibility_label ?? null,
    data: { key },
    "aria-busy": surface.busy.has(key) ? "true" : null,
  };
  const press = () => surface.act(el, blockId, el.value);
  const label = h("span", { class: "btn-label" }, plain(el.text));
  if (el.url && /^https?:/.test(el.url)) {
    return h("a", { ...common, role: "button", href: el.url, target: "_blank", rel: "noopener noreferrer", onclick: press }, label);
  }
  return h("button", { ...common, type: "button", onclick: press }, label);
}

function overflow(el, blockId, surface) {
  const key = surface.keyOf(blockId, el.action_id);
  return h("button", {
    class: "btn overflow", type: "button", "aria-label": "More actions", "aria-haspopup": "menu", data: { key },
    "aria-busy": surface.busy.has(key) ? "true" : null,
    onclick: (event) => openMenu(event.currentTarget, {
      role: "menu",
      name: "More actions",
      items: el.options.map((option) => ({
        value: option.value, label: plain(option.text), name: option.text.text, note: option.description && plain(option.description),
      })),
      pick: (item) => surface.act(el, blockId, item.value),
    }),
  }, icon("ellipsis", 16));
}
