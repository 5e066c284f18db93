// The source at the place of a hit: the page of a PDF with boxes around the passage, or the text around it.
// Event to Python: 'turn' {document, index, page} for another page of the same PDF.
const { el, t, language, dir, button } = labse;
const dialog = element.querySelector('dialog');
let last = null;

const line = (parts, lang) => {
  const node = el('p', null, null, { dir: lang ? dir(lang) : 'auto', lang: lang && lang !== 'unknown' ? lang : null });
  for (const part of parts) node.append(part.mark ? el(part.mark === 2 ? 'mark' : 'span', part.mark === 2 ? null : 'hit', part.text) : document.createTextNode(part.text));
  return node;
};
const textBlocks = value => {
  const box = el('div', 'source-text');
  if (value.cut_before) box.append(el('p', 'cut', t('cut_before')));
  for (const block of value.blocks) {
    const part = el('section', block.row ? 'unit row' : 'unit');
    if (block.label) part.append(el('h3', 'place', block.label));
    const body = el('div', 'unit-text');
    block.lines.forEach(one => body.append(line(one.parts, one.lang)));
    part.append(body);
    box.append(part);
  }
  if (value.cut_after) box.append(el('p', 'cut', t('cut_after')));
  return box;
};
const pageImage = value => {
  const page = value.page;
  const frame = el('div', 'page-frame');
  const image = el('img', null, null, { src: page.url, alt: t('page_image', { page: page.number, pages: page.pages }), width: page.width, height: page.height });
  frame.append(image);
  for (const [x, y, w, h] of page.boxes) {
    const box = el('span', 'box', null, { 'aria-hidden': 'true' });
    box.style.insetInlineStart = 'auto';
    box.style.left = `${x * 100}%`; box.style.top = `${y * 100}%`; box.style.width = `${w * 100}%`; box.style.height = `${h * 100}%`;
    frame.append(box);
  }
  const turn = (to, key) => {
    const node = button('secondary', t(key), () => trigger('turn', { document: value.document, index: value.index, page: to, mark: value.mark }));
    node.disabled = to < 1 || to > page.pages;
    return node;
  };
  const bar = el('div', 'page-bar', null, {}, turn(page.number - 1, 'previous'),
    el('span', null, t('page_image', { page: page.number, pages: page.pages })), turn(page.number + 1, 'next'));
  return el('div', 'page', null, {}, bar, frame);
};

const draw = () => {
  const value = props.value;
  if (!value || !value.nonce || value.nonce === last) return;
  last = value.nonce;
  const close = button('quiet close', '×', () => dialog.close(), { 'aria-label': t('close'), title: t('close') });
  const head = el('header', 'viewer-head', null, {}, value.lang ? el('span', 'chip', language(value.lang)) : null,
    el('bdi', 'title', value.title || t('viewer'), { id: 'labse-viewer-title' }), value.place ? el('span', 'place', value.place) : null);
  if (value.original) head.append(el('a', 'link', t('download'), { href: value.original, download: '' }));
  head.append(close);
  const body = el('div', 'viewer-body', null, { tabindex: '0' });
  if (value.message) body.append(el('p', 'notice error', value.message, { role: 'alert' }));
  if (value.page) body.append(pageImage(value));
  if (value.page && value.on_page && !value.page.boxes.length) body.append(el('p', 'still', t('page_unmarked')));
  if (value.page_failed) body.append(el('p', 'still', t('page_failed')));
  if (value.page) body.append(el('h3', null, t('page_text')));
  if (value.blocks) body.append(textBlocks(value));
  dialog.replaceChildren(head, body);
  if (!dialog.open) dialog.showModal();
  body.focus({ preventScroll: true });
  const target = value.page?.boxes.length ? body.querySelector('.box') : value.page ? null : body.querySelector('mark, .hit');
  const settle = () => target?.scrollIntoView({ block: 'center' });
  const image = body.querySelector('img');
  if (image && !image.complete) image.addEventListener('load', settle, { once: true });
  settle();
};
dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
watch('value', draw);
draw();
