// modal.js shows the view that an app opened for the reader: the top of a stack of up to three.
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { api } from "./api.js";
import { blocks } from "./blocks.js";
import { clickError } from "./errors.js";
import { plain } from "./tokens.js";
import { Surface } from "./surface.js";

/** Modal keeps one <dialog> equal to the server's view. What was typed in a view stays while the view lives. */
export class Modal {
  constructor(ctx) {
    this.ctx = ctx;
    this.surfaces = new Map(); // view id -> Surface
    this.dialog = null;
    this.signature = "null";
  }

  /** show draws a view, or closes the dialog for null. */
  show(view) {
    const signature = JSON.stringify(view);
    if (signature === this.signature) return;
    this.signature = signature;
    this.view = view;
    if (!view) {
      this.dialog?.remove();
      this.dialog = null;
      this.surfaces.clear();
      return;
    }
    this.draw();
  }

  surface() {
    const { id } = this.view;
    if (!this.surfaces.has(id)) {
      const surface = new Surface(`view ${id}`, this.ctx, { viewId: id });
      surface.modal = this;
      this.surfaces.set(id, surface);
    }
    return this.surfaces.get(id);
  }

  draw() {
    const { view } = this;
    const surface = this.surface();
    const focused = document.activeElement?.dataset?.key;
    const scrolled = this.dialog?.querySelector(".dialog-body")?.scrollTop ?? 0;
    if (!this.dialog) {
      this.dialog = h("dialog", { class: "dialog modal" });
      // Escape asks the app's side too: the dialog goes when the server says so.
      this.dialog.addEventListener("cancel", (event) => {
        event.preventDefault();
        this.leave();
      });
      document.body.append(this.dialog);
    }
    const stacked = Boolean(view.previous_view_id);
    this.dialog.setAttribute("aria-label", view.title?.text ?? "");
    this.dialog.classList.toggle("stacked", stacked);
    this.dialog.replaceChildren(
      h("form", { method: "dialog", novalidate: true, onsubmit: (event) => this.submit(event) },
        h("div", { class: "dialog-head" },
          stacked ? h("button", { class: "icon-btn", type: "button", "aria-label": "Back", onclick: () => this.leave() }, icon("back")) : null,
          this.ctx.directory.face(this.ctx.directory.bot.user_id, 28),
          h("h2", null, plain(view.title)),
          h("button", { class: "icon-btn", type: "button", "aria-label": "Close", onclick: () => this.leave() }, icon("close"))),
        h("div", { class: "dialog-body" }, surface.trouble ? h("div", { class: "banner", role: "alert" }, icon("warning", 16), surface.trouble) : null,
          blocks(view.blocks ?? [], surface)),
        h("div", { class: "dialog-foot" },
          h("button", { class: "btn big", type: "button", onclick: () => this.leave() }, view.close ? plain(view.close) : view.submit ? "Cancel" : "Close"),
          view.submit ? h("button", { class: "btn big primary", type: "submit", "aria-busy": surface.sending ? "true" : null }, h("span", { class: "btn-label" }, plain(view.submit))) : null)));
    if (!this.dialog.open) this.dialog.showModal();
    this.dialog.querySelector(".dialog-body").scrollTop = scrolled;
    const again = [...this.dialog.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focused);
    again?.focus({ preventScroll: true });
  }

  async leave() {
    await api.close({ user: this.ctx.user, viewId: this.view.id });
    await this.ctx.refreshView();
  }

  async submit(event) {
    event.preventDefault();
    const surface = this.surface();
    if (surface.sending) return;
    const { view } = this;
    const { values, missing } = this.gather(surface);
    surface.trouble = null;
    surface.errors = missing;
    if (Object.keys(missing).length === 0) {
      surface.sending = true;
      this.draw();
      const answer = await api.submit({ user: this.ctx.user, viewId: view.id, values });
      surface.sending = false;
      if (answer.errors && Object.keys(answer.errors).length > 0) surface.errors = answer.errors;
      else if (!answer.ok) surface.trouble = clickError(answer.error);
    }
    await this.ctx.refreshView();
    if (this.view?.id === view.id) {
      this.draw();
      this.dialog.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
    }
  }

  // gather reads every field of the view, and names the input blocks that must be filled and are not.
  gather(surface) {
    const values = {};
    const missing = {};
    for (const [index, block] of this.view.blocks.entries()) {
      const id = block.block_id ?? `#${index}`;
      const fields = [block.element, block.accessory, ...(block.type === "actions" ? block.elements : [])].filter(Boolean);
      for (const el of fields) {
        const key = surface.keyOf(id, el.action_id);
        if (!surface.values.has(key)) continue;
        const value = surface.values.get(key);
        const empty = value === null || value === "" || value.length === 0;
        if (block.type === "input" && empty && !block.optional) missing[id] = "Please complete this required field.";
        values[id] = { ...values[id], [el.action_id]: empty && !Array.isArray(value) ? null : value };
      }
    }
    return { values, missing };
  }
}
