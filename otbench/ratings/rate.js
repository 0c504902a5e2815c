
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const { session, images } = JSON.parse(byId("data").textContent);
  const place = "otbench-ratings:" + session;
  const PAUSE = 150; // milliseconds: quicker than anybody sees an image, so a second tap is not an answer
  const LONGEST = 1e9;
  let state = null;
  let kept = true;
  let shownAt = 0;
  let seen = 0;

  const now = () => new Date().toISOString();

  function load() {
    try {
      const found = JSON.parse(window.localStorage.getItem(place));
      const right = found && typeof found.rater === "string" && Array.isArray(found.answers)
        && found.answers.length <= images.length
        && found.answers.every((one, at) => one.item === at + 1 && ["real", "generated"].includes(one.answer));
      return right ? found : null;
    } catch {
      return null;
    }
  }

  function keep() {
    try {
      if (state) window.localStorage.setItem(place, JSON.stringify(state));
      else window.localStorage.removeItem(place);
      kept = true;
    } catch {
      kept = false; // the browser keeps nothing for this page: answers live as long as it is open
    }
  }

  function complaint(name) {
    if (!name) return "Please enter a name.";
    if ([...name].length > 60) return "Please enter at most 60 characters.";
    if (/^[=+\-@]/.test(name)) return "A name cannot begin with =, +, - or @.";
    if (/[\p{C}\p{Z}]/u.test(name.replaceAll(" ", ""))) return "Please use printable characters only.";
    return "";
  }

  function show() {
    const started = state !== null;
    const done = started ? state.answers.length : 0;
    const over = done === images.length;
    byId("start").hidden = started;
    byId("rating").hidden = !started || over;
    byId("end").hidden = !started || !over;
    byId("state").hidden = !started;
    if (!started) return;
    byId("bar").value = done;
    byId("count").textContent = done + " of " + images.length;
    byId("undo").disabled = done === 0;
    byId("name").textContent = state.rater;
    byId("kept").textContent = kept ? "Kept in this browser." : "This browser keeps nothing: save before you close.";
    if (over) return;
    byId("image").src = images[done];
    byId("image").alt = "Image " + (done + 1) + " of " + images.length;
    shownAt = performance.now();
    seen = 0;
  }

  function answer(word) {
    if (!state || state.answers.length === images.length) return;
    const spent = performance.now() - shownAt;
    if (spent + seen < PAUSE) return;
    const milliseconds = Math.min(LONGEST, Math.round(spent + seen));
    state.answers.push({ item: state.answers.length + 1, answer: word, milliseconds });
    if (state.answers.length === images.length) state.finished = now();
    keep();
    show();
    if (state.finished) byId("thanks").focus();
  }

  function undo() {
    if (!state || !state.answers.length) return;
    state.answers.pop();
    state.finished = null;
    keep();
    show();
  }

  function save(text, kind, type) {
    const name = state.rater.normalize("NFKD").replace(/[^a-zA-Z0-9]+/g, "-").replace(/^-|-$/g, "").toLowerCase();
    const link = document.createElement("a");
    const address = URL.createObjectURL(new Blob([text], { type }));
    link.href = address;
    link.download = "ratings-" + session + "-" + (name || "rater") + "." + kind;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  const asJson = () => JSON.stringify({
    format: "otbench-ratings-1",
    session,
    rater: state.rater,
    started: state.started,
    finished: state.finished,
    answers: state.answers,
  }, null, 1) + "\n";

  const asCsv = () => ["session,rater,item,answer,milliseconds", ...state.answers.map((one) => [
    session, '"' + state.rater.replaceAll('"', '""') + '"', one.item, one.answer, one.milliseconds,
  ].join(","))].join("\r\n") + "\r\n";

  byId("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("rater").value.normalize("NFC").trim().replace(/\s+/gu, " ");
    const wrong = complaint(name);
    byId("complaint").textContent = wrong;
    if (wrong) return;
    state = { rater: name, started: now(), finished: null, answers: [] };
    keep();
    show();
    byId("question").focus();
  });
  byId("real").addEventListener("click", () => answer("real"));
  byId("generated").addEventListener("click", () => answer("generated"));
  byId("undo").addEventListener("click", undo);
  byId("json").addEventListener("click", () => save(asJson(), "json", "application/json"));
  byId("csv").addEventListener("click", () => save(asCsv(), "csv", "text/csv"));
  byId("anew").addEventListener("click", () => {
    if (!window.confirm("Start again? Answers that you have not saved are lost.")) return;
    state = null;
    keep();
    byId("rater").value = "";
    show();
    byId("rater").focus();
  });

  const keys = { r: "real", arrowleft: "real", g: "generated", arrowright: "generated" };
  document.addEventListener("keydown", (event) => {
    if (!state || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key in keys) answer(keys[key]);
    else if (key === "u" || key === "backspace") undo();
    else return;
    event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) seen += performance.now() - shownAt; // time away is no time spent on an image
    else shownAt = performance.now();
  });

  state = load();
  keep();
  show();
})();
