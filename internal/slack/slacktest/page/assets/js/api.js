// api.js talks to the workspace's users' side. Every answer is an object with `ok`; a server that cannot be reached
// is an answer too.

const UNREACHABLE = { ok: false, error: "unreachable" };

async function ask(path, options) {
  try {
    const response = await fetch(path, options);
    return await response.json();
  } catch {
    return UNREACHABLE;
  }
}

const PAUSES = [100, 300, 1000, 3000]; // milliseconds before a question is put again

// look asks a question, which may be put again where the line breaks; what changes something is never sent twice.
async function look(path) {
  for (const pause of PAUSES) {
    const answer = await ask(path);
    if (answer !== UNREACHABLE) return answer;
    await new Promise((done) => setTimeout(done, pause));
  }
  return ask(path);
}

function post(path, body) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export const api = {
  workspace: () => look("/user/workspace"),
  messages: (user, channel, thread) =>
    look("/user/messages?" + new URLSearchParams(thread ? { user, channel, thread } : { user, channel })),
  view: (user) => look("/user/view?" + new URLSearchParams({ user })),
  command: (body) => post("/user/command", body),
  click: (body) => post("/user/click", body),
  submit: (body) => post("/user/submit", body),
  close: (body) => post("/user/close", body),
  message: (body) => post("/user/message", body),

  /**
   * listen calls nudge(event) whenever something may have changed, and state(true|false) as the line opens and breaks.
   * EventSource dials again by itself; what was missed meanwhile is covered by a nudge on every opening.
   */
  listen(nudge, state) {
    let source;
    const open = () => {
      source = new EventSource("/user/events");
      source.onopen = () => {
        state(true);
        nudge({ type: "all" });
      };
      source.onerror = () => state(false);
      source.onmessage = (event) => nudge(JSON.parse(event.data));
    };
    open();
    // A page that the browser keeps for "back" must not keep its line: there are only six to one server.
    window.addEventListener("pagehide", () => source.close());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) open();
    });
  },
};
