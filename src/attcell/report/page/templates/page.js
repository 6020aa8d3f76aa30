(() => {
  "use strict";
  const root = document.documentElement;

  function follow(video) {
    const player = attcellPlayer(video, ramps);
    const cells = [...video.querySelectorAll(".cell")];
    const figures = [...video.querySelectorAll(".segment")];
    const stage = video.querySelector(".stage");
    const marker = video.querySelector(".marker");
    let chosen = Math.max(0, figures.findIndex((figure) => figure.classList.contains("strongest")));

    function show(n) {
      const from = figures[n];
      const pictures = from.querySelectorAll("img");
      stage.querySelectorAll("figure img").forEach((image, i) => {
        image.src = pictures[i].src;
        image.alt = pictures[i].alt;
      });
      for (const field of stage.querySelectorAll("[data-field]")) {
        field.textContent = from.dataset[field.dataset.field];
      }
      marker.style.left = cells[n].style.left;
      marker.style.width = cells[n].style.width;
      figures.forEach((figure, i) => figure.classList.toggle("shown", i === n));
      cells.forEach((cell, i) => cell.classList.toggle("shown", i === n));
      video.dataset.shown = String(n + 1);
    }

    function choose(n, focus) {
      chosen = Math.min(Math.max(n, 0), cells.length - 1);
      cells.forEach((cell, i) => {
        cell.tabIndex = i === chosen ? 0 : -1;
        if (i === chosen) cell.setAttribute("aria-current", "true");
        else cell.removeAttribute("aria-current");
      });
      if (focus) cells[chosen].focus();
      show(chosen);
    }

    // With a player, to choose a segment is to go there, and the segment that is shown follows the video.
    function goTo(n, focus) {
      choose(n, focus);
      if (player) player.to(Number(figures[chosen].dataset.seconds));
    }
    if (player) {
      const ends = figures.map((figure) => Number(figure.dataset.until));
      player.onMove((now) => {
        const n = ends.findIndex((end) => now < end);
        const held = n < 0 ? ends.length - 1 : n;
        if (held !== chosen) choose(held);
      });
    }

    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };
    cells.forEach((cell, n) => {
      cell.addEventListener("click", (event) => { event.preventDefault(); goTo(n); });
      cell.addEventListener("focus", () => { if (n !== chosen) goTo(n); });
      cell.addEventListener("keydown", (event) => {
        if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        goTo(n + steps[event.key], true);
      });
    });

    const line = video.querySelector(".timeline");
    const plot = video.querySelector(".plot");
    function under(event) {
      const box = plot.getBoundingClientRect();
      const share = 100 * (event.clientX - box.left) / box.width;
      return cells.findIndex((cell) => {
        const left = parseFloat(cell.style.left);
        return share >= left && share < left + parseFloat(cell.style.width);
      });
    }
    if (!player) {
      line.addEventListener("pointermove", (event) => { const n = under(event); if (n >= 0) show(n); });
      line.addEventListener("pointerleave", () => show(chosen));
      plot.addEventListener("click", (event) => { const n = under(event); if (n >= 0) choose(n); });
    }

    figures.forEach((figure, n) => {
      if (!player) {
        figure.addEventListener("pointerenter", () => show(n));
        figure.addEventListener("pointerleave", () => show(chosen));
      }
      figure.addEventListener("click", () => {
        goTo(n);
        stage.scrollIntoView({ block: "nearest" });
      });
    });
    for (const button of video.querySelectorAll("[data-step]")) {
      button.addEventListener("click", () => goTo(chosen + Number(button.dataset.step)));
    }
    const strength = video.querySelector(".strength input");
    const apply = () => video.style.setProperty("--strength", strength.value / 100);
    if (strength) {
      strength.addEventListener("input", apply);
      apply(); // a browser may keep the slider's place over a reload
    }

    function fromAddress() {
      const n = figures.findIndex((figure) => "#" + figure.id === location.hash);
      if (n >= 0) choose(n);
    }
    window.addEventListener("hashchange", fromAddress);
    choose(chosen);
    fromAddress();
    return cells.length;
  }

  const ramps = JSON.parse(document.querySelector("#attcell-ramps").textContent);
  root.classList.add("js");
  let count = 0;
  for (const video of document.querySelectorAll(".video")) count += follow(video);
  root.dataset.ready = String(count);
})();
