// @ts-check
// The reader: the whole source at the place of a hit, part by part as it is scrolled, or the page of a PDF with boxes.
// Beside the results from 1,200 px on, else over them. What is open stands in the address (?view=DOCUMENT.INDEX.A-B).
// Events to Python: 'turn' {document, index, mark, page, number} shows a passage or another page, 'ask' {text} searches.
const { el, t, language, dir, button } = labse;
const dialog = element.querySelector('dialog');
const wide = matchMedia('(min-width: 1200px)');
let last = null, shown = '', asked = '', turns = 0, reader = null;

const line = (parts, lang) => {
  const node = el('p', null, null, { dir: lang ? dir(lang) : 'auto', lang: lang && lang !== 'unknown' ? lang : null });
  for (const part of parts) node.append(part.mark ? el(part.mark === 2 ? 'mark' : 'span', part.mark === 2 ? null : 'hit', part.text) : document.createTextNode(part.text));
  return node;
};
const block = one => {
  const part = el('section', one.row ? 'unit row' : 'unit');
  if (one.label) part.append(el('h3', 'place', one.label));
  const body = el('div', 'unit-text');
  one.lines.forEach(row => body.append(line(row.parts, row.lang)));
  part.append(body);
  return part;
};
const turn = wanted => trigger('turn', { ...wanted, number: ++turns });
const wait = ms => new Promise(done => setTimeout(done, ms));

// The parts of a text: those around the passage at once, the others when one comes near, all of them to find a word.
const textOf = (value, body) => {
  const box = el('div', 'source-text');
  let first = value.part, next = value.part, stopped = false, queue = Promise.resolve(true);
  const get = async number => {
    const address = new URL(`${value.text}/${number}`, document.baseURI);
    address.searchParams.set('at', value.index + (value.mark ? `.${value.mark.join('-')}` : ''));
    for (let tries = 0; tries < 20 && !stopped; tries++) {
      try {
        const answer = await fetch(address);
        if (answer.ok) return (await answer.json()).blocks.map(block);
        if (answer.status !== 429) return null;
      } catch (error) { /* the app is away, perhaps for a moment */ }
      await wait(400);
    }
    return null;
  };
  // In the place of a part that did not come; what lies behind it comes when it has come.
  const missing = (side, step) => {
    box.querySelector(`.cut.${side}`)?.remove();
    return el('p', `cut ${side}`, t('part_failed') + ' ', {}, button('link', t('retry'), () => enqueue(step)));
  };
  // Each says whether the part is there.
  const after = async () => {
    if (next >= value.parts) return true;
    const nodes = await get(next);
    if (!nodes) { box.append(missing('later', after)); return false; }
    next++;
    box.querySelector('.cut.later')?.remove();
    box.append(...nodes);
    return true;
  };
  const before = async () => {
    if (first <= 0) return true;
    const nodes = await get(first - 1), height = body.scrollHeight;
    if (nodes) { first--; box.querySelector('.cut.earlier')?.remove(); }
    box.prepend(...nodes || [missing('earlier', before)]);
    body.scrollTop += body.scrollHeight - height;
    return !!nodes;
  };
  const enqueue = step => (queue = queue.then(() => stopped ? false : step()));
  const onScroll = () => {
    const waits = side => box.querySelector(`.cut.${side}`); // until somebody tries again
    if (body.scrollTop < 900 && first > 0 && !waits('earlier')) enqueue(before);
    if (body.scrollHeight - body.scrollTop - body.clientHeight < 1500 && next < value.parts && !waits('later')) enqueue(after);
  };
  body.addEventListener('scroll', onScroll, { passive: true });
  const ready = enqueue(after).then(() => { box.querySelector('mark, .hit')?.scrollIntoView({ block: 'center' }); onScroll(); });
  return { box, ready, whole: async () => { while ((first > 0 || next < value.parts) && await enqueue(after) && await enqueue(before)); },
    stop: () => { stopped = true; } };
};

// Letters as they are compared: without case, of which İ and ı are i, and ς is σ.
const fold = letter => letter.toLowerCase().replace('i\u0307', 'i').replace('ı', 'i').replace('ς', 'σ');
// The text under a node, folded letter by letter: a letter may become longer or shorter. `at` has, for each unit of it, the
// text node and where in it the letter begins and ends.
const folded = line => {
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  /** @type {[Text, number, number][]} */
  const at = [];
  let text = '';
  for (let node; (node = /** @type {Text | null} */ (walker.nextNode()));) {
    let begin = 0;
    for (const letter of node.data) {
      const low = fold(letter), end = begin + letter.length;
      for (let i = 0; i < low.length; i++) at.push([node, begin, end]);
      text += low;
      begin = end;
    }
  }
  return { text, at };
};
// Finding a word colours it by the browser's highlights: the text itself is not touched.
const finder = (body, text) => {
  const input = el('input', 'find-in', null, { type: 'search', placeholder: t('find_in'), 'aria-label': t('find_in') });
  const count = el('span', 'find-count', '', { role: 'status' });
  let ranges = [], at = -1, wanted = '';
  const clear = () => { CSS.highlights?.delete('labse-find'); CSS.highlights?.delete('labse-found'); ranges = []; at = -1; count.textContent = ''; };
  const collect = () => {
    const low = [...wanted].map(fold).join('');
    for (const line of body.querySelectorAll('.source-text p, .source-text h3')) {
      if (ranges.length >= 5000) break;
      const { text: letters, at: places } = folded(line);
      for (let i = letters.indexOf(low); i >= 0; i = letters.indexOf(low, i + low.length)) {
        const range = new Range(), [from, begin] = places[i], [to, , end] = places[i + low.length - 1];
        range.setStart(from, begin); range.setEnd(to, end);
        ranges.push(range);
      }
    }
  };
  const show = () => {
    count.textContent = ranges.length ? t('find_count', { at: at + 1, n: ranges.length }) : t('find_none');
    if (!ranges.length) return;
    if (CSS.highlights) {
      CSS.highlights.set('labse-find', new Highlight(...ranges));
      CSS.highlights.set('labse-found', new Highlight(ranges[at]));
    }
    ranges[at].startContainer.parentElement.scrollIntoView({ block: 'center' });
  };
  const find = async by => {
    const now = input.value.trim();
    if (!now) { clear(); wanted = ''; return; }
    if (now !== wanted) {
      clear();
      wanted = now;
      count.textContent = t('searching');
      await text.whole();
      if (wanted !== now) return;
      collect();
      by = 1;
    }
    if (ranges.length) at = (at + by + ranges.length) % ranges.length;
    show();
  };
  input.addEventListener('keydown', event => {
    if (event.isComposing) return;
    if (event.key === 'Enter') { event.preventDefault(); find(event.shiftKey ? -1 : 1); }
    if (event.key === 'Escape') { event.stopPropagation(); event.preventDefault(); input.value = ''; find(1); body.focus(); }
  });
  input.addEventListener('search', () => { if (!input.value) find(1); });
  return { node: el('span', 'find-row', null, {}, input, count), input, clear };
};

const pageImage = value => {
  const page = value.page;
  const frame = el('div', 'page-frame');
  frame.append(el('img', null, null, { src: page.url, alt: t('page_image', { page: page.number, pages: page.pages }), width: page.width, height: page.height }));
  for (const [x, y, w, h] of page.boxes) {
    const box = el('span', 'box', null, { 'aria-hidden': 'true' });
    box.style.insetInlineStart = 'auto';
    box.style.left = `${x * 100}%`; box.style.top = `${y * 100}%`; box.style.width = `${w * 100}%`; box.style.height = `${h * 100}%`;
    frame.append(box);
  }
  const another = (to, key) => {
    const node = button('secondary', t(key), () => turn({ document: value.document, index: value.index, page: to, mark: value.mark }));
    node.disabled = to < 1 || to > page.pages;
    return node;
  };
  const bar = el('div', 'page-bar', null, {}, another(page.number - 1, 'previous'),
    el('span', null, t('page_image', { page: page.number, pages: page.pages })), another(page.number + 1, 'next'));
  return el('div', 'page', null, {}, bar, frame);
};

// From what was asked for last, which may not be there yet.
const step = by => {
  const [document, index] = asked.split('.');
  if (document) window.dispatchEvent(new CustomEvent('labse-step', { detail: { document, index: Number(index), by } }));
};
const close = () => labse.go({ view: '' });
const place = value => {
  const cards = labse.cards || [], at = cards.findIndex(card => card.document === value.document && card.index === value.index);
  return [at, cards.length];
};
const steps = value => {
  const [at, n] = place(value);
  if (at < 0) return null;
  const move = (by, key, sign) => { const node = button('quiet', sign, () => step(by), { 'aria-label': t(key), title: t(key) }); node.disabled = !(at + by >= 0 && at + by < n); return node; };
  return el('span', 'steps', null, { role: 'group', 'aria-label': t('results') }, move(-1, 'hit_before', '↑'), el('span', 'step-count', t('hit_of', { at: at + 1, n })), move(1, 'hit_after', '↓'));
};
const head = (value, find) => {
  const node = el('header', 'viewer-head', null, {}, value.lang ? el('span', 'chip', language(value.lang)) : null,
    el('h2', 'title', null, { id: 'labse-viewer-title' }, el('bdi', null, value.title || t('viewer'))), value.place ? el('bdi', 'place', value.place) : null,
    button('quiet close', '×', close, { 'aria-label': t('close'), title: t('close') }));
  const tools = el('div', 'viewer-tools', null, {}, steps(value), find?.node);
  if (value.document) {
    const link = button('link copy-link', t('copy_link'), async () => {
      if (await labse.copy(labse.link(shown), dialog)) { link.textContent = t('copied'); setTimeout(() => { link.textContent = t('copy_link'); }, 1600); }
    });
    tools.append(link);
  }
  if (value.original) tools.append(el('a', 'link', t('download'), { href: value.original, download: '' }));
  const about = button('secondary find-about', t('find_about'), () => { const text = String(getSelection()).trim().slice(0, 1000); if (text) { labse.busy(); trigger('ask', { text }); } });
  about.addEventListener('mousedown', event => event.preventDefault()); // pressing it would take the selection away
  about.hidden = true;
  tools.append(about);
  node.append(tools);
  if (value.also?.length) node.append(alsoIn(value));
  return node;
};
// The same document in other languages: open it, or read both side by side.
const alsoIn = value => el('p', 'also', null, {}, ...value.also.flatMap(one => [
  button('link', t('trans_also', { language: language(one.lang), name: one.title }), () => labse.go({ view: `${one.document}.0` })),
  button('link open-pair', t('trans_open'), () => labse.go({ view: '', align: `${value.document}.${one.document}` }), { 'aria-label': `${t('trans_open')}: ${one.title}` })]));
const onSelection = () => {
  const about = dialog.querySelector('.find-about'), selection = getSelection();
  if (about) about.hidden = !(dialog.open && String(selection).trim().length > 2 && dialog.querySelector('.viewer-body')?.contains(selection?.anchorNode));
};

const open = () => {
  const pane = wide.matches;
  if (dialog.open && dialog.matches(':modal') === pane) dialog.close();
  dialog.classList.toggle('pane', pane); // first: showing it moves the focus into it, and the page would scroll there
  if (!dialog.open) { pane ? dialog.show() : dialog.showModal(); }
  document.documentElement.classList.toggle('labse-reading', pane);
};
const shut = () => {
  if (!dialog.open && !shown) return;
  shown = ''; asked = '';
  reader?.stop();
  CSS.highlights?.clear();
  if (dialog.open) dialog.close();
  document.documentElement.classList.remove('labse-reading');
  window.dispatchEvent(new CustomEvent('labse-reading', { detail: '' }));
};

const draw = () => {
  const value = props.value;
  if (!value || !value.nonce || value.nonce === last) return;
  last = value.nonce;
  if (!asked || value.number !== turns) return; // closed, or something else was asked for meanwhile
  shown = asked;
  reader?.stop();
  CSS.highlights?.clear();
  const body = el('div', 'viewer-body', null, { tabindex: '0', 'aria-label': t('viewer'), role: 'region' });
  if (value.message) body.append(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.page) body.append(pageImage(value));
  if (value.page && value.on_page && !value.page.boxes.length) body.append(el('p', 'still', t('page_unmarked')));
  if (value.page_failed) body.append(el('p', 'still', t('page_failed')));
  let find = null;
  if (value.parts) {
    reader = textOf(value, body);
    find = finder(body, reader);
    if (value.page) body.append(el('h3', 'text-title', t('page_text')));
    body.append(reader.box);
  }
  dialog.replaceChildren(head(value, find), body);
  const keep = dialog.open && !dialog.matches(':modal');
  open();
  if (!wide.matches || !keep) body.focus({ preventScroll: true });
  const image = body.querySelector('img');
  const settle = () => { if (value.page) (body.querySelector('.box') || body.querySelector('.page'))?.scrollIntoView({ block: 'center' }); };
  if (image && !image.complete) image.addEventListener('load', settle, { once: true });
  reader?.ready.then(settle);
  settle();
  window.dispatchEvent(new CustomEvent('labse-reading', { detail: `${value.document}.${value.index}` }));
};

const onAddress = () => {
  const view = labse.parameter('view'), [id, index, mark] = view.split('.');
  if (!view) { shut(); return; }
  if (view === asked) return;
  asked = view;
  turn({ document: id, index: /^\d{1,9}$/.test(index || '') ? Number(index) : -1, mark: /^\d+-\d+$/.test(mark || '') ? mark.split('-').map(Number) : null });
};
const onKey = event => {
  if (!dialog.open || event.isComposing || event.ctrlKey || event.metaKey || event.altKey || labse.editing()) return;
  if (event.key === 'Escape' && !dialog.matches(':modal')) { event.preventDefault(); close(); }
  else if (event.key === 'n') step(1);
  else if (event.key === 'p') step(-1);
  else if (event.key === 'f') { event.preventDefault(); dialog.querySelector('.find-in')?.focus(); }
};
const onDrawn = () => { if (dialog.open && props.value?.document) { dialog.querySelector('.steps')?.remove(); const node = steps(props.value); if (node) dialog.querySelector('.viewer-tools')?.prepend(node); } };
const onWide = () => { if (dialog.open) open(); };
if (labse.viewerOff) labse.viewerOff();
window.addEventListener('labse-address', onAddress);
window.addEventListener('labse-drawn', onDrawn);
document.addEventListener('keydown', onKey);
document.addEventListener('selectionchange', onSelection);
wide.addEventListener('change', onWide);
labse.viewerOff = () => {
  window.removeEventListener('labse-address', onAddress);
  window.removeEventListener('labse-drawn', onDrawn);
  document.removeEventListener('keydown', onKey);
  document.removeEventListener('selectionchange', onSelection);
  wide.removeEventListener('change', onWide);
};
dialog.addEventListener('cancel', event => { event.preventDefault(); close(); });
dialog.addEventListener('click', event => { if (event.target === dialog && dialog.matches(':modal')) close(); });
watch('value', draw);
draw();
setTimeout(onAddress, 0);
