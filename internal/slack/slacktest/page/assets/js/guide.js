// guide.js tells a newcomer what to do next, by what the newest message of the app says now.
import { h } from "./dom.js";

/** Guide is a line over the messages. It shows one piece of advice at a time. */
export class Guide {
  /** @param {{when: string, says: string}[]} advice in the order of the way; the first needs nothing */
  constructor(advice) {
    this.advice = advice;
    this.line = h("span", null, advice[0].says);
    this.root = h("div", { class: "guide", role: "status", "aria-label": "Guide" },
      h("b", { class: "guide-step" }, `1 of ${advice.length}`), this.line,
      h("button", { class: "icon-btn", type: "button", "aria-label": "Hide the guide", onclick: () => this.hide() }, "✕"));
  }

  /** hide takes it away until the page is loaded again. */
  hide() {
    this.root.remove();
    this.root = null;
  }

  /** follow looks at the messages: the furthest advice that the newest of them calls for is shown. */
  follow(messages) {
    if (!this.root) return;
    const texts = [...messages.querySelectorAll(".message")].map((node) => node.textContent).reverse();
    const reached = texts.map((text) => this.advice.findLastIndex(({ when }) => when && text.includes(when))).find((at) => at > 0) ?? 0;
    const { says } = this.advice[reached];
    if (this.line.textContent === says) return;
    this.line.textContent = says;
    this.root.querySelector(".guide-step").textContent = `${reached + 1} of ${this.advice.length}`;
  }
}
