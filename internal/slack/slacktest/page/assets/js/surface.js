// surface.js is where blocks stand: in a message or in a modal. It remembers what was typed and chosen there, which
// element waits for its acknowledgement, and carries a press to the app.

/** Surface keeps the state of one message's or one view's elements over its redraws. */
export class Surface {
  /**
   * @param {string} key of the message or view
   * @param {Object} ctx who reads, and press(body, surface, key)
   * @param {Object} where the part of a click's body that names the place: {channel, ts} or {viewId}
   */
  constructor(key, ctx, where) {
    this.key = key;
    this.ctx = ctx;
    this.where = where;
    this.values = new Map();
    this.busy = new Set();
    this.files = [];
  }

  keyOf(blockId, actionId) {
    return `${this.key}|${blockId}|${actionId}`;
  }

  /** act presses an element; a second press while the first one waits does nothing. */
  async act(el, blockId, value) {
    const key = this.keyOf(blockId, el.action_id);
    if (this.busy.has(key)) return;
    this.mark(key, true);
    const body = { ...this.where, actionId: el.action_id, blockId };
    if (value !== undefined && value !== null) body.value = value;
    try {
      await this.ctx.press(body, this, key);
    } finally {
      this.mark(key, false);
    }
  }

  mark(key, busy) {
    if (busy) this.busy.add(key);
    else this.busy.delete(key);
    // The element may have been drawn again meanwhile, so it is found by its key.
    for (const node of document.querySelectorAll("[data-key]")) {
      if (node.dataset.key !== key) continue;
      if (busy) node.setAttribute("aria-busy", "true");
      else node.removeAttribute("aria-busy");
    }
  }
}
