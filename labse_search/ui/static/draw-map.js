// @ts-check
// Draws a collection's map on a canvas and what goes with it: legend, topics, the passages of a topic or of an area that
// was encircled. Fetched when a map is looked at. Texts become textContent or letters on the canvas, never markup.
(() => {
  const { el, t, button, language, dir, number, locale } = labse;
  // After Okabe and Ito, for every kind of colour vision; at least 3:1 against the card they lie on. The last: all others.
  const COLOURS = { light: ['#0072b2', '#c14f00', '#007d5a', '#b3568c', '#8a6d00', '#3d2b8f', '#5d4037', '#767676'],
    dark: ['#56b4e9', '#ff8a3d', '#2fc79b', '#e79cc6', '#f0e442', '#a99bff', '#c8a08d', '#8f979e'] };
  const NEAR = 14, CELLS = 128, LISTED = 20, LABELS = 30, MOST_TOLD = 40; // pixels, cells a side, passages, words on the map, passages asked for at once

  const fetchJson = async (what, parameters) => {
    const answer = await fetch(new URL(`map/${what}?${new URLSearchParams(parameters)}`, document.baseURI));
    if (!answer.ok) throw Object.assign(Error(what), { told: answer.status === 404 ? await answer.text() : '' });
    return answer.json();
  };

  /** Points by cell: what lies near a place is found without looking at all of them. */
  const indexed = points => {
    const size = 10000 / CELLS, cells = new Map();
    const cell = (x, y) => Math.floor(x / size) * 1000 + Math.floor(y / size);
    for (let i = 0; i < points.x.length; i++) {
      const key = cell(points.x[i], points.y[i]);
      if (cells.has(key)) cells.get(key).push(i); else cells.set(key, [i]);
    }
    return (x, y, radius) => {
      let found = -1, best = radius * radius;
      for (let a = Math.floor((x - radius) / size); a <= Math.floor((x + radius) / size); a++)
        for (let b = Math.floor((y - radius) / size); b <= Math.floor((y + radius) / size); b++)
          for (const i of cells.get(a * 1000 + b) || []) {
            const d = (points.x[i] - x) ** 2 + (points.y[i] - y) ** 2;
            if (d < best) [found, best] = [i, d];
          }
      return found;
    };
  };
  const inside = (polygon, x, y) => {
    let is = false;
    for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
      const [a, b] = polygon[i], [c, d] = polygon[j];
      if (b > y !== d > y && x < ((c - a) * (y - b)) / (d - b) + a) is = !is;
    }
    return is;
  };
  // A topic's words in the page's language if it has passages in it, else in that of most of them.
  const termsOf = topic => topic.terms.find(([code]) => code === locale.slice(0, 2)) || topic.terms[0] || ['', []];

  labse.drawMap = async (host, collection, stamp) => {
    const points = await fetchJson('points', { collection, stamp });
    const n = points.x.length, nearest = indexed(points), texts = new Map();
    const canvas = el('canvas', 'map-canvas', null, { tabindex: '0', role: 'application', 'aria-label': t('map_label'), 'data-points': n });
    const tip = el('div', 'map-tip', null, { hidden: '' }), legend = el('div', 'map-legend', null, { role: 'group', 'aria-label': t('map_colour') });
    const list = el('section', 'map-found', null, { hidden: '' }), hitsNote = el('p', 'subdued', t('map_hits'), { hidden: '' });
    /** @type {MapState} */
    const state = { by: 'language', only: -1, zoom: 1, x: 5000, y: 5000, at: -1, chosen: null, topic: -1, lasso: false, path: [], hits: [] };
    let scheduled = false, palette = COLOURS.light;

    const scale = () => (Math.min(canvas.clientWidth, canvas.clientHeight) - 32) / 10000 * state.zoom;
    const toScreen = (x, y) => [canvas.clientWidth / 2 + (x - state.x) * scale(), canvas.clientHeight / 2 + (y - state.y) * scale()];
    const toMap = (a, b) => [state.x + (a - canvas.clientWidth / 2) / scale(), state.y + (b - canvas.clientHeight / 2) / scale()];
    const colourOf = value => Math.min(value, palette.length - 1);

    const dots = (pen, size) => {
      const of = points[state.by].of, k = scale(), left = canvas.clientWidth / 2 - state.x * k, top = canvas.clientHeight / 2 - state.y * k;
      const faded = i => (state.chosen && !state.chosen.has(i)) || (state.only >= 0 && colourOf(of[i]) !== state.only);
      const buckets = palette.map(() => []), away = [];
      for (let i = 0; i < n; i++) (faded(i) ? away : buckets[colourOf(of[i])]).push(i);
      const paint = (rows, colour, alpha) => {
        [pen.fillStyle, pen.globalAlpha] = [colour, alpha];
        for (const i of rows) pen.fillRect(left + points.x[i] * k - size / 2, top + points.y[i] * k - size / 2, size, size);
      };
      paint(away, palette[palette.length - 1], .16);
      for (let c = palette.length - 1; c >= 0; c--) paint(buckets[c], palette[c], n > 20000 ? .7 : .9); // the commonest on top
      pen.globalAlpha = 1;
    };
    const labels = (pen, ink, card) => {
      const boxes = [];
      pen.font = '600 12px system-ui, sans-serif';
      [pen.textAlign, pen.textBaseline, pen.lineJoin] = ['center', 'middle', 'round'];
      for (const topic of points.topics) {
        const words = termsOf(topic)[1].slice(0, 2).join(' · '), [x, y] = toScreen(topic.x, topic.y), half = pen.measureText(words).width / 2 + 4;
        const hidden = !words || x < half || x > canvas.clientWidth - half || y < 10 || y > canvas.clientHeight - 10;
        if (hidden || boxes.some(([a, b, c]) => Math.abs(a - x) < half + c && Math.abs(b - y) < 18)) continue;
        boxes.push([x, y, half]);
        [pen.strokeStyle, pen.lineWidth, pen.fillStyle] = [card, 4, ink];
        pen.strokeText(words, x, y);
        pen.fillText(words, x, y);
        if (boxes.length === LABELS) break;
      }
    };
    const rings = (pen, ink) => {
      pen.strokeStyle = ink;
      for (const [rows, radius, width] of /** @type {[number[], number, number][]} */ ([[state.hits, 6, 1.5], [state.at < 0 ? [] : [state.at], 7, 2.5]])) for (const i of rows) {
        const [x, y] = toScreen(points.x[i], points.y[i]);
        pen.lineWidth = width;
        pen.beginPath(); pen.arc(x, y, radius, 0, 7); pen.stroke();
      }
    };
    const paint = () => {
      scheduled = false;
      if (!canvas.isConnected || !canvas.clientWidth) return;
      const ratio = Math.min(devicePixelRatio || 1, 2), pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d')), looks = getComputedStyle(canvas);
      palette = document.body.classList.contains('dark') ? COLOURS.dark : COLOURS.light;
      const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
      dots(pen, Math.max(1.6, Math.min(7, 130 / Math.sqrt(n) * Math.sqrt(state.zoom))));
      labels(pen, looks.color, looks.backgroundColor);
      rings(pen, looks.color);
      if (state.path.length > 1) {
        pen.strokeStyle = looks.color; pen.lineWidth = 1.5; pen.setLineDash([5, 4]);
        pen.beginPath(); state.path.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y))); pen.closePath(); pen.stroke(); pen.setLineDash([]);
      }
      canvas.dataset.painted = String(1 + Number(canvas.dataset.painted || 0));
    };
    const repaint = () => { if (!scheduled) { scheduled = true; requestAnimationFrame(paint); } };

    // ---- what a passage says

    const told = async rows => {
      const missing = rows.filter(row => !texts.has(row)).slice(0, MOST_TOLD);
      if (missing.length) {
        for (const one of await fetchJson('passages', { collection, stamp, rows: missing.join(',') })) texts.set(one.row, one);
        for (const row of missing) if (!texts.has(row)) texts.set(row, null); // gone since
      }
      return rows.map(row => texts.get(row)).filter(Boolean);
    };
    const open = one => labse.go({ view: `${one.document}.${one.index}` });
    const source = one => [el('span', 'chip', language(one.lang)), el('bdi', 'title', one.title), one.place ? el('bdi', 'place', one.place) : null];
    const words = (one, most) => el('p', 'map-text', one.text.length > most ? one.text.slice(0, most) + ' …' : one.text, { dir: dir(one.lang), lang: one.lang === 'unknown' ? null : one.lang });
    const failed = error => { if (error.told) list.replaceChildren(el('p', 'notice error', error.told, { role: 'alert' })); list.hidden = !error.told; };
    let asked = 0;
    const point = async (row, { spoken = false } = {}) => {
      state.at = row;
      repaint();
      canvas.style.cursor = state.lasso ? 'crosshair' : row >= 0 ? 'pointer' : 'grab';
      const turn = ++asked;
      if (row < 0) { tip.hidden = true; return; }
      await new Promise(done => setTimeout(done, texts.has(row) ? 0 : 90)); // a pointer on its way asks for nothing
      if (turn !== asked) return;
      let one;
      try { [one] = await told([row]); } catch (error) { failed(error); return; }
      if (turn !== asked) return;
      tip.hidden = !one;
      if (!one) return;
      tip.dataset.row = row;
      tip.replaceChildren(el('div', 'map-source', null, {}, ...source(one)), words(one, 260));
      const [x, y] = toScreen(points.x[row], points.y[row]), low = y < canvas.clientHeight / 2;
      Object.assign(tip.style, { insetInlineStart: 'auto', left: `${Math.max(0, Math.min(x - 150, canvas.clientWidth - 310))}px`, top: low ? `${y + 14}px` : 'auto', bottom: low ? 'auto' : `${canvas.clientHeight - y + 14}px` });
      if (spoken) labse.say(`${one.title}. ${one.place}. ${one.text.slice(0, 260)}`);
    };
    const openRow = async row => { try { const [one] = await told([row]); if (one) open(one); } catch (error) { failed(error); } };

    // ---- an area or a topic, as a list of passages

    const show = async (rows, heading, topic = -1) => {
      [state.chosen, state.topic] = [rows.length ? new Set(rows) : null, rows.length ? topic : -1];
      topics.querySelectorAll('button').forEach(one => one.setAttribute('aria-pressed', String(Number(one.dataset.topic) === state.topic)));
      repaint();
      list.hidden = !rows.length;
      if (!rows.length) { list.replaceChildren(); return; }
      const title = el('h3', null, null, { tabindex: '-1' }, el('bdi', null, heading), ` · ${t('passages', { n: rows.length })}`);
      const items = el('ol', 'map-passages'), more = button('secondary show-more', '', () => extend());
      const clear = button('link map-clear', t('map_clear'), () => { show([], ''); canvas.focus(); });
      list.replaceChildren(el('div', 'list-head', null, {}, title, clear), items, more);
      title.focus({ preventScroll: true });
      title.scrollIntoView({ block: 'nearest' });
      labse.say(`${heading} · ${t('passages', { n: rows.length })}`);
      let at = 0;
      const extend = async () => {
        const part = rows.slice(at, at + LISTED);
        at += part.length;
        let found;
        try { found = await told(part); } catch (error) { failed(error); return; }
        for (const one of found) {
          const item = el('li', null, null, { 'data-row': one.row }, el('div', 'map-source', null, {}, ...source(one)), words(one, 400), button('link open-source', t('open'), () => open(one), { 'aria-label': `${t('open')}: ${one.title}` }));
          item.addEventListener('pointerenter', () => { state.at = one.row; repaint(); });
          items.append(item);
        }
        more.hidden = at >= rows.length;
        if (!more.hidden) more.textContent = t('show_more', { n: Math.min(LISTED, rows.length - at) });
      };
      await extend();
      list.scrollIntoView({ block: 'nearest' }); // now as high as it is
    };
    const byDistance = (rows, x, y) => rows.sort((a, b) => (points.x[a] - x) ** 2 + (points.y[a] - y) ** 2 - (points.x[b] - x) ** 2 - (points.y[b] - y) ** 2);
    const rowsOf = test => { const rows = []; for (let i = 0; i < n; i++) if (test(i)) rows.push(i); return rows; };
    const encircled = () => {
      const path = state.path.map(([a, b]) => toMap(a, b));
      state.path = [];
      const rows = path.length > 2 ? rowsOf(i => inside(path, points.x[i], points.y[i])) : [];
      const middle = axis => path.reduce((sum, one) => sum + one[axis], 0) / (path.length || 1);
      show(byDistance(rows, middle(0), middle(1)), t('map_area'));
    };
    const topics = el('ul', 'map-topics');
    for (const topic of points.topics) {
      const one = button('map-topic', null, () => {
        if (state.topic === topic.number) { show([], ''); return; }
        show(byDistance(rowsOf(i => points.topic[i] === topic.number), topic.x, topic.y), termsOf(topic)[1].slice(0, 3).join(' · '), topic.number);
      }, { 'data-topic': topic.number, 'aria-pressed': 'false' });
      for (const [code, terms] of topic.terms) one.append(el('span', 'terms', terms.join(' · '), { lang: code === 'unknown' ? null : code, dir: dir(code) }));
      one.append(el('span', 'subdued', t('passages', { n: topic.size })));
      topics.append(el('li', null, null, {}, one));
    }

    // ---- colours

    const named = value => (state.by === 'language' ? language(value) : value || t('map_no_folder'));
    const keys = () => {
      const { values, of } = points[state.by], counts = new Array(palette.length).fill(0);
      for (const value of of) counts[colourOf(value)]++;
      const last = palette.length - 1;
      legend.replaceChildren(...counts.map((count, c) => {
        if (!count) return null;
        const label = c === last && values.length > palette.length ? t('map_other') : named(values[c]);
        const one = button('map-key', null, () => { state.only = state.only === c ? -1 : c; keys(); repaint(); }, { 'aria-pressed': String(state.only === c) });
        one.append(el('i', `map-colour-${c}`, null, { 'aria-hidden': 'true' }), el('bdi', null, label), el('span', 'subdued', number(count)));
        return one;
      }).filter(Boolean));
    };
    const by = el('select', 'pick', null, { 'aria-label': t('map_colour') });
    for (const [name, key] of [['language', 'filter_languages'], ['kind', 'filter_kinds'], ['folder', 'filter_folders']]) by.append(el('option', null, t(key), { value: name }));
    by.addEventListener('change', () => { [state.by, state.only] = [by.value, -1]; keys(); repaint(); });

    // ---- moving about

    const clamp = value => Math.max(0, Math.min(10000, value));
    const zoom = (factor, a = canvas.clientWidth / 2, b = canvas.clientHeight / 2) => {
      const [x, y] = toMap(a, b);
      state.zoom = Math.max(1, Math.min(60, state.zoom * factor));
      const [p, q] = toMap(a, b);
      [state.x, state.y] = [clamp(state.x + x - p), clamp(state.y + y - q)];
      tip.hidden = true;
      repaint();
    };
    const whole = () => { Object.assign(state, { zoom: 1, x: 5000, y: 5000 }); repaint(); };
    const lasso = button('secondary map-lasso', t('map_select'), () => { state.lasso = !state.lasso; lasso.setAttribute('aria-pressed', String(state.lasso)); canvas.style.cursor = state.lasso ? 'crosshair' : 'grab'; }, { 'aria-pressed': 'false' });
    const tools = el('div', 'map-tools', null, {}, by, lasso, button('secondary map-in', '+', () => zoom(1.6), { 'aria-label': t('map_zoom_in') }),
      button('secondary map-out', '−', () => zoom(1 / 1.6), { 'aria-label': t('map_zoom_out') }), button('link map-whole', t('map_whole'), whole));

    /** @type {any} */
    let held = null;
    const where = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    const under = event => nearest(...toMap(...where(event)), NEAR / scale());
    canvas.addEventListener('pointerdown', event => {
      if (event.button) return;
      const [a, b] = where(event);
      held = { a, b, x: state.x, y: state.y, moved: false, lasso: state.lasso || event.shiftKey };
      state.path = held.lasso ? [[a, b]] : [];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', event => {
      if (!held) { const row = under(event); if (row !== state.at) point(row); return; }
      const [a, b] = where(event);
      if (Math.hypot(a - held.a, b - held.b) > 4) held.moved = true;
      if (held.lasso) state.path.push([a, b]);
      else if (held.moved) { [state.x, state.y] = [clamp(held.x - (a - held.a) / scale()), clamp(held.y - (b - held.b) / scale())]; tip.hidden = true; }
      repaint();
    });
    const release = event => {
      const was = held;
      held = null;
      if (!was) return;
      if (was.lasso && was.moved) { encircled(); return; }
      state.path = [];
      if (!was.moved && event.type === 'pointerup') { const row = under(event); if (row >= 0) openRow(row); }
    };
    canvas.addEventListener('pointerup', release);
    canvas.addEventListener('pointercancel', release);
    canvas.addEventListener('pointerleave', () => { if (!held) point(-1); });
    canvas.addEventListener('wheel', event => {
      if (!event.ctrlKey && document.activeElement !== canvas) return; // else the page could not be scrolled past it
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...where(event));
    }, { passive: false });
    // The nearest passage in that direction, on the screen; the farther aside it lies, the farther away it counts.
    const step = (dx, dy) => {
      if (state.at < 0) return nearest(state.x, state.y, 20000);
      let found = state.at, best = Infinity;
      for (let i = 0; i < n; i++) {
        const along = (points.x[i] - points.x[state.at]) * dx + (points.y[i] - points.y[state.at]) * dy;
        const aside = Math.abs((points.x[i] - points.x[state.at]) * dy) + Math.abs((points.y[i] - points.y[state.at]) * dx);
        if (along > 0 && along >= aside && along + 2 * aside < best) [found, best] = [i, along + 2 * aside];
      }
      return found;
    };
    const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    canvas.addEventListener('keydown', event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const arrow = ARROWS[event.key];
      if (arrow) {
        const row = step(...arrow), [a, b] = toScreen(points.x[row], points.y[row]);
        if (a < 20 || b < 20 || a > canvas.clientWidth - 20 || b > canvas.clientHeight - 20) [state.x, state.y] = [points.x[row], points.y[row]];
        point(row, { spoken: true });
      } else if (event.key === 'Enter' && state.at >= 0) openRow(state.at);
      else if (event.key === '+' || event.key === '=') zoom(1.6);
      else if (event.key === '-') zoom(1 / 1.6);
      else if (event.key === '0') whole();
      else if (event.key === 'Escape' && (state.at >= 0 || state.chosen)) { point(-1); show([], ''); } else return;
      event.preventDefault();
      event.stopPropagation();
    });

    // ---- what the present question found

    const findHits = async () => {
      if (!canvas.isConnected && host.isConnected) return;
      const passages = (labse.cards || []).map(one => `${one.document}.${one.index}`);
      try { state.hits = passages.length ? await fetchJson('rows', { collection, stamp, passages: passages.slice(0, MOST_TOLD).join(',') }) : []; } catch (error) { state.hits = []; }
      hitsNote.hidden = !state.hits.length;
      repaint();
    };

    keys();
    host.replaceChildren(tools, el('div', 'map-box', null, {}, canvas, tip), legend, hitsNote, list,
      el('section', null, null, { 'aria-labelledby': 'labse-map-topics' }, el('h3', null, t('map_topics'), { id: 'labse-map-topics' }), topics));
    labse.mapOff?.();
    const watched = [new ResizeObserver(repaint), new MutationObserver(repaint)];
    watched[0].observe(canvas);
    watched[1].observe(document.body, { attributes: true, attributeFilter: ['class'] });
    window.addEventListener('labse-drawn', findHits);
    labse.mapOff = () => { watched.forEach(one => one.disconnect()); window.removeEventListener('labse-drawn', findHits); };
    repaint();
    findHits();
    canvas.map = { toScreen: row => toScreen(points.x[row], points.y[row]), points, state }; // for a debugger, and for tests
  };
})();
