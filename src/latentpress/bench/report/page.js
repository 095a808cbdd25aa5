"use strict";
// Legend: a button hides and shows one codec's curves.
document.querySelectorAll(".legend button").forEach(button => {
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", on);
    document.querySelectorAll(".charts .curve").forEach(g => {
      if (g.dataset.codec === button.dataset.codec) g.classList.toggle("off", !on);
    });
  });
});

// Gallery: one stage an image; the left picture is cut off at the slider, the right one lies below.
document.querySelectorAll(".item").forEach(item => {
  const $ = name => item.querySelector("[data-is=" + name + "]");
  const stage = $("stage"), slider = $("slider"), left = $("left"), right = $("right");
  const rate = $("rate"), apart = $("apart");
  const pictures = [...stage.querySelectorAll("img")];
  const find = (codec, kind) => pictures.find(p => p.dataset.codec === codec
    && p.dataset.kind === kind && (codec === "" || p.dataset.rate === rate.value));
  const show = () => {
    const a = find(left.value, "picture");
    const b = (apart.checked && find(right.value, "difference")) || find(right.value, "picture");
    pictures.forEach(p => {
      p.classList.toggle("left", p === a);
      p.classList.toggle("right", p === b);
    });
    $("name-left").textContent = a.dataset.label;
    $("name-right").textContent = b.dataset.label;
    $("said").textContent = "Left: " + a.alt + ". Right: " + b.alt + ".";
    item.querySelectorAll("[data-crops]").forEach(c => {
      c.hidden = c.dataset.crops !== rate.value;
    });
  };
  const move = () => {
    stage.style.setProperty("--at", slider.value + "%");
    slider.setAttribute("aria-valuetext", Math.round(slider.value) + " % shows the left picture");
  };
  const drag = event => {
    const box = stage.getBoundingClientRect();
    slider.value = Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / box.width));
    move();
  };
  stage.addEventListener("pointerdown", event => {
    stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  stage.addEventListener("pointermove", event => { if (event.buttons) drag(event); });
  slider.addEventListener("input", move);
  [left, right, rate, apart].forEach(control => control.addEventListener("change", show));
  show(); move();
});

// On paper every fold is open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach(d => { d.open = true; });
});
addEventListener("afterprint", () => closed.forEach(d => { d.open = false; }));
