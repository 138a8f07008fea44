// Talks to the gateway. The key lives in this module's memory and nowhere else.
let key = "";

export class ApiError extends Error {
  constructor(status, body) {
    super(body.error || `the gateway answered ${status}`);
    this.status = status;
    this.hint = body.hint || "";
  }
}

export function signIn(text) { key = text; }
export function signOut() { key = ""; }

export async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${key}`, Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", redirect: "error" });
  } catch (error) {
    throw new ApiError(0, { error: "the gateway cannot be reached" });
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(answer.status, told);
  return told;
}

// Yields {id, data} of a server-sent event stream until it ends or `signal` is aborted; goes on after a cut.
export async function* follow(path, signal) {
  let last = "";
  for (let tries = 0; tries < 6; tries += 1) {
    const headers = { Authorization: `Bearer ${key}`, Accept: "text/event-stream" };
    if (last) headers["Last-Event-ID"] = last;
    let answer;
    try {
      answer = await fetch(path, { headers, signal, cache: "no-store", redirect: "error" });
      if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})));
      for await (const frame of frames(answer.body)) {
        tries = 0;
        last = frame.id || last;
        yield frame;
        if (frame.event === "done") return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status) throw error;
    }
    await new Promise((wake) => setTimeout(wake, 500 * 2 ** tries));
  }
  throw new ApiError(0, { error: "the stream was cut and could not be taken up again" });
}

async function* frames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const parts = rest.split(/\r?\n\r?\n/);
    rest = parts.pop();
    for (const part of parts) {
      const frame = { id: "", event: "", data: null };
      const data = [];
      for (const line of part.split(/\r?\n/)) {
        if (line.startsWith("id:")) frame.id = line.slice(3).trim();
        else if (line.startsWith("event:")) frame.event = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (!data.length) continue;
      frame.data = JSON.parse(data.join("\n"));
      yield frame;
    }
  }
}
