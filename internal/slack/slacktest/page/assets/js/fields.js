// fields.js draws the elements that hold a value: text, numbers, dates, selects, checkboxes, radio buttons.
import { h } from "./dom.js";
import { mrkdwn } from "./mrkdwn.js";
import { plain } from "./tokens.js";
import { select, SELECTS } from "./selects.js";

/** field draws a stateful element, or returns null where it is none. */
export function field(el, blockId, surface, input) {
  if (SELECTS[el.type]) return select(el, blockId, surface, input);
  const draw = FIELDS[el.type];
  return draw ? draw(el, state(el, blockId, surface, input)) : null;
}

/**
 * state is what a field remembers: its value outlives a redraw of the message or modal around it. change keeps a new
 * value, and tells the app at once wherever Slack would (everywhere but in an input block without dispatch_action).
 */
export function state(el, blockId, surface, input) {
  const key = surface.keyOf(blockId, el.action_id);
  if (!surface.values.has(key)) surface.values.set(key, initial(el));
  return {
    key,
    label: input?.label ?? el.placeholder?.text ?? el.action_id,
    ctx: surface.ctx,
    get value() { return surface.values.get(key); },
    keep(value) { surface.values.set(key, value); },
    tell(value) {
      if (!input || input.dispatches) surface.act(el, blockId, value);
    },
    change(value) {
      this.keep(value);
      this.tell(value);
    },
  };
}

function initial(el) {
  switch (el.type) {
    case "checkboxes":
    case "multi_static_select": return (el.initial_options ?? []).map((option) => option.value);
    case "multi_users_select": return el.initial_users ?? [];
    case "multi_channels_select": return el.initial_channels ?? [];
    case "multi_conversations_select": return el.initial_conversations ?? [];
    case "datetimepicker": return el.initial_date_time ?? null;
    default:
      return el.initial_value ?? el.initial_option?.value ?? el.initial_date ?? el.initial_time
        ?? el.initial_user ?? el.initial_channel ?? el.initial_conversation ?? null;
  }
}

const FIELDS = {
  plain_text_input: (el, own) => (el.multiline ? area(el, own) : line("text", el, own)),
  number_input: (el, own) => line("number", el, own, { min: el.min_value, max: el.max_value, step: el.is_decimal_allowed ? "any" : "1" }),
  email_text_input: (el, own) => line("email", el, own),
  url_text_input: (el, own) => line("url", el, own),
  datepicker: (el, own) => picker("date", own),
  timepicker: (el, own) => picker("time", own),
  datetimepicker: (el, own) => dateTime(own),
  checkboxes: (el, own) => choices("checkbox", el, own),
  radio_buttons: (el, own) => choices("radio", el, own),
};

// A one-line text is told on Enter (the default of dispatch_action_config) or, where asked, on every key.
function line(type, el, own, more) {
  const eachKey = el.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered");
  return h("input", {
    class: "field", type, "aria-label": own.label, placeholder: el.placeholder?.text ?? null,
    minlength: el.min_length ?? null, maxlength: el.max_length ?? null, ...more,
    value: own.value ?? "", autofocus: el.focus_on_load || null, data: { key: own.key },
    oninput: (event) => (eachKey ? own.change(event.target.value) : own.keep(event.target.value)),
    onkeydown: (event) => {
      if (event.key === "Enter" && !event.isComposing && !eachKey) own.tell(event.target.value);
    },
  });
}

function area(el, own) {
  const node = h("textarea", {
    class: "field", rows: 4, "aria-label": own.label, placeholder: el.placeholder?.text ?? null,
    minlength: el.min_length ?? null, maxlength: el.max_length ?? null, autofocus: el.focus_on_load || null, data: { key: own.key },
    oninput: (event) => own.keep(event.target.value),
  });
  node.value = own.value ?? "";
  return node;
}

const picker = (type, own) => h("input", {
  class: "field picker", type, "aria-label": own.label, value: own.value ?? "", data: { key: own.key },
  onchange: (event) => own.change(event.target.value || null),
});

// A datetimepicker's value is in Unix seconds; the browser's own field knows local time only.
function dateTime(own) {
  const local = own.value ? new Date((own.value - new Date(own.value * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 16) : "";
  return h("input", {
    class: "field picker", type: "datetime-local", "aria-label": own.label, value: local, data: { key: own.key },
    onchange: (event) => own.change(event.target.value ? Math.floor(new Date(event.target.value).getTime() / 1000) : null),
  });
}

function choices(type, el, own) {
  const picked = (value) => (type === "radio" ? own.value === value : (own.value ?? []).includes(value));
  return h("div", { class: "choices", role: type === "radio" ? "radiogroup" : "group", "aria-label": own.label },
    el.options.map((option) => h("label", { class: "choice" },
      h("input", {
        type, name: own.key, value: option.value, checked: picked(option.value), "aria-label": option.text.text,
        data: { key: `${own.key}|${option.value}` },
        onchange: (event) => own.change(type === "radio" ? option.value
          : el.options.map((each) => each.value).filter((value) => (value === option.value ? event.target.checked : own.value.includes(value)))),
      }),
      h("span", null, h("span", { class: "choice-label" }, text(option.text, own)),
        option.description ? h("span", { class: "choice-note" }, text(option.description, own)) : null))));
}

const text = (object, own) => (object.type === "mrkdwn" ? mrkdwn(object.text, own.ctx) : plain(object));
