// Builds what is shown. Text is only ever put in as text, never as HTML.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\u{1d173}-\u{1d17a}]|[\u{e0000}-\u{e0fff}]/gu;

export function visible(text) {
  return String(text).replace(HIDDEN, (one) => `<U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}>`);
}

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) made.append(child instanceof Node ? child : visible(child));
  }
  return made;
}

export function when(value) {
  if (value === null || value === undefined || value === "") return "-";
  const at = new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(at.getTime()) ? String(value) : at.toISOString().replace("T", " ").slice(0, 19) + "Z";
}

const TONES = { ok: "good", success: "good", approved: "good", running: "warn", waiting: "warn", approval_required: "warn", approval_pending: "warn", missed: "warn", low: "good", medium: "warn" };
const NEUTRAL = new Set(["intent", "started", "finished", "changed", "planned", "cache_hit", "unknown"]);

export function badge(word) {
  const tone = TONES[word] || (NEUTRAL.has(word) ? "soft" : "bad");
  return el("span", { class: `badge ${tone}${word === "running" ? " live" : ""}` }, String(word).replaceAll("_", " "));
}

export function table(heads, rows) {
  if (!rows.length) return el("p", { class: "hint" }, "There is nothing here yet.");
  return el("table", {}, el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell))))));
}

export function argumentsOf(given) {
  const entries = Object.entries(given || {});
  if (!entries.length) return el("pre", {}, "(no arguments)");
  return el("pre", {}, entries.map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`).join("\n"));
}

function fact(name, value) {
  const empty = value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length);
  return empty ? [] : [el("dt", {}, name), el("dd", {}, value instanceof Node ? value : String(value))];
}

// The whole card: nothing is cut, what cannot be seen is written out. `rule(decision, feedback)` is called by its buttons.
export function approvalCard(card, rule) {
  const effects = Object.entries(card.effects || {}).filter(([, value]) => Array.isArray(value) ? value.length : value !== null && value !== "" && value !== true && value !== false);
  const feedback = el("input", { "aria-label": `Words for whoever asked, ${card.short_id}`, placeholder: "words for whoever asked (optional)", maxlength: 2000 });
  const grave = card.risk === "high" || card.risk === "critical";
  let armed = !grave;
  const yes = el("button", { type: "button", class: "yes", onclick: () => {
    if (!armed) { armed = true; yes.textContent = `Approve ${card.risk} risk: press again`; return; }
    yes.disabled = no.disabled = true;
    rule("approve", feedback.value);
  } }, "Approve once");
  const no = el("button", { type: "button", class: "no", onclick: () => { yes.disabled = no.disabled = true; rule("deny", feedback.value); } }, "Deny");
  const layers = (card.sandbox || []).map((one) => `${one.name}${one.active ? "" : " (missing)"}`).join(", ");
  return el("article", { class: "card", tabindex: "0", "data-id": card.id, "aria-label": `Approval ${card.short_id}` },
    el("h3", {}, `${card.short_id} `, badge(card.risk), ` ${card.tool}`),
    argumentsOf(card.arguments),
    el("dl", {},
      fact("asked by", `${card.user} via ${card.source}${card.agent ? `, agent ${card.agent}` : ""}`),
      fact("expires", when(card.expires_at)),
      fact("model's words", card.reason),
      fact("where", `${card.host}:${card.cwd}`),
      fact("sandbox", layers),
      fact("effects", effects.map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : value}`).join("; ")),
      fact("undo", card.reversible ? "can be undone" : "cannot be undone"),
      fact("rule", `${card.rule} (${card.origin})`),
      fact("because", card.because),
      fact("untrusted text", (card.untrusted || []).join(", ")),
      fact("plan", card.plan),
      fact("cost so far", card.cost ? `$${card.cost.spent_usd.toFixed(4)} today, $${card.cost.remaining_usd.toFixed(2)} left` : "")),
    el("div", { class: "row" }, feedback, yes, no));
}

export function stepOf(frame) {
  const data = frame.data;
  switch (data.event) {
    case "tool.intent": return el("div", { class: "step" }, el("strong", {}, `-> ${data.tool}`), argumentsOf(data.arguments));
    case "tool.result": {
      const text = String(data.text || "");
      return el("div", { class: "step" }, el("strong", {}, data.tool, " "), badge(data.status), data.rule ? el("span", { class: "hint" }, ` rule ${data.rule}`) : null,
        text ? el("details", {}, el("summary", {}, `${text.split("\n").length} lines`), el("pre", {}, text)) : null);
    }
    case "approval.requested": return el("div", { class: "step warn" }, `waits for approval ${data.short_id} (${data.risk}): see Approvals`);
    case "plan": return el("div", { class: "step" }, `plan of ${(data.steps || []).length} steps ${data.id || ""}`);
    case "notice": return el("p", { class: "hint" }, data.text);
    default: return data.type === "gap" ? el("p", { class: "hint" }, "earlier steps are not kept any more") : null;
  }
}
