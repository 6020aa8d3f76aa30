// The video itself, with the attention of the moment over it. Used by page.js.
function attcellPlayer(section, ramps) {
  "use strict";
  const media = section.querySelector("script.media");
  const video = section.querySelector(".player video");
  if (!media || !video) return null;
  const data = JSON.parse(section.querySelector("script.player-data").textContent);
  const canvas = section.querySelector(".player canvas");
  const seek = section.querySelector(".seek");
  const head = section.querySelector(".playhead");
  const button = section.querySelector("[data-play]");
  const speaker = section.querySelector("[data-sound]");
  const clock = section.querySelector("[data-now]");
  const tracks = [...section.querySelectorAll(".soundtrack")];
  const windows = data.windows.map((seconds, i) => [seconds, tracks[i].querySelector(".now")]);
  const hits = [...section.querySelectorAll("button[data-at][data-until]")];
  const listeners = [];
  const maps = data.streams.map((stream) => Uint8Array.from(atob(stream.maps), (c) => c.charCodeAt(0)));
  let address = null, drawn = "", wanted = data.opens;

  function words(seconds) {
    const tenths = Math.round(10 * (seconds + data.first));
    const sign = tenths < 0 ? "-" : "", all = Math.abs(tenths), hours = Math.floor(all / 36000);
    const two = (n) => String(n).padStart(2, "0");
    const minutes = two(Math.floor(all / 600) % 60) + ":" + two(Math.floor(all / 10) % 60) + "." + (all % 10);
    return sign + (hours ? hours + ":" : "") + minutes;
  }

  // The sample whose part of the video holds a time.
  function sampleAt(seconds) {
    let low = 0, high = data.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (data.starts[middle] <= seconds + 1e-4) low = middle; else high = middle;
    }
    return low;
  }

  function chosenStream() {
    const chosen = section.querySelector(".streams input:checked");
    return chosen ? Number(chosen.value) : 0;
  }

  function draw(seconds) {
    if (!canvas || !data.streams.length) return;
    const n = chosenStream(), sample = sampleAt(seconds), key = n + ":" + sample;
    if (key === drawn) return;
    drawn = key;
    const { rows, columns, ramp } = data.streams[n];
    const values = maps[n].subarray(sample * rows * columns, (sample + 1) * rows * columns);
    const side = 16, width = columns * side, height = rows * side, colours = ramps[ramp];
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    for (let y = 0; y < height; y++) {
      const v = Math.min(Math.max((y + .5) / side - .5, 0), rows - 1), top = Math.floor(v);
      const below = Math.min(top + 1, rows - 1), down = v - top;
      for (let x = 0; x < width; x++) {
        const u = Math.min(Math.max((x + .5) / side - .5, 0), columns - 1), left = Math.floor(u);
        const right = Math.min(left + 1, columns - 1), across = u - left;
        const level =
          (values[top * columns + left] * (1 - across) + values[top * columns + right] * across) * (1 - down) +
          (values[below * columns + left] * (1 - across) + values[below * columns + right] * across) * down;
        image.data.set(colours[Math.round(level / 255 * (colours.length - 1))], 4 * (y * width + x));
      }
    }
    context.putImageData(image, 0, 0);
    canvas.classList.toggle("shade", ramp === "shade");
    section.dataset.drawn = key;
  }

  function update() {
    const now = address ? video.currentTime : wanted;
    head.style.left = 100 * Math.min(now / data.duration, 1) + "%";
    seek.setAttribute("aria-valuenow", now.toFixed(1));
    seek.setAttribute("aria-valuetext", words(now));
    clock.textContent = words(now);
    for (const hit of hits) {
      hit.classList.toggle("now", now >= Number(hit.dataset.at) && now < Number(hit.dataset.until));
    }
    const seen = data.seen[sampleAt(now)];
    for (const [long, mark] of windows) {
      mark.style.left = 100 * (seen - long / 2) / data.duration + "%";
      mark.style.width = 100 * long / data.duration + "%";
    }
    draw(now);
    for (const listener of listeners) listener(now);
  }

  function follow() {
    update();
    if (video.paused || video.ended) return;
    requestAnimationFrame(follow); // not by the video's frames: sound goes on between two that are far apart
  }

  function load() {
    if (address) return;
    const bytes = Uint8Array.from(atob(media.textContent.trim()), (c) => c.charCodeAt(0));
    address = URL.createObjectURL(new Blob([bytes], { type: media.dataset.mime }));
    video.src = address;
    video.addEventListener("loadedmetadata", () => { video.currentTime = wanted; }, { once: true });
  }

  function unload() {
    if (!address || !video.paused) return;
    wanted = video.currentTime;
    const old = address;
    address = null;
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(old);
  }

  function to(seconds) {
    load();
    wanted = Math.min(Math.max(seconds, 0), data.duration);
    if (video.readyState > 0) video.currentTime = Math.min(wanted, Math.max(video.duration - 1e-3, 0));
    update();
  }

  function start() {
    video.play().catch(() => {}); // a video of one frame ends before it has begun
  }

  function toggle() {
    load();
    if (video.paused) start(); else video.pause();
  }

  function hear() {
    video.muted = !video.muted;
    speaker.textContent = video.muted ? "Turn sound on" : "Turn sound off";
  }

  function under(event) {
    const box = seek.getBoundingClientRect();
    return data.duration * (event.clientX - box.left) / box.width;
  }

  for (const place of [seek, ...tracks]) {
    place.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      try { place.setPointerCapture(event.pointerId); } catch { /* a made-up pointer cannot be held */ }
      to(under(event));
    });
    place.addEventListener("pointermove", (event) => { if (event.buttons & 1) to(under(event)); });
  }
  const step = Math.max(data.duration / 100, .2);
  const keys = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageUp: 10 * step, PageDown: -10 * step };
  seek.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const now = address ? video.currentTime : wanted;
    if (event.key in keys) to(now + keys[event.key]);
    else if (event.key === "Home") to(0);
    else if (event.key === "End") to(data.duration);
    else if (event.key === " " || event.key === "Enter") toggle();
    else return;
    event.preventDefault();
  });
  button.addEventListener("click", toggle);
  video.addEventListener("click", toggle);
  if (speaker) speaker.addEventListener("click", hear);
  for (const hit of hits) {
    hit.addEventListener("click", () => { to(Number(hit.dataset.at)); start(); });
  }
  for (const input of section.querySelectorAll(".streams input")) input.addEventListener("change", update);
  for (const name of ["play", "pause", "ended"]) {
    video.addEventListener(name, () => { button.textContent = video.paused ? "Play" : "Pause"; });
  }
  video.addEventListener("play", follow);
  for (const name of ["seeked", "timeupdate", "loadeddata"]) video.addEventListener(name, update);
  video.addEventListener("error", () => {
    if (!address) return;
    section.classList.remove("can-play");
    section.classList.add("cannot-play");
  });
  new IntersectionObserver(
    (entries) => { if (entries[entries.length - 1].isIntersecting) load(); else unload(); },
    { rootMargin: "100% 0px" },
  ).observe(section);
  section.classList.add("can-play");
  update();
  return { to, words, onMove: (listener) => listeners.push(listener), segmentStarts: data.starts, first: data.first };
}
