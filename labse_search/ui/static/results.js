// The answers: draws props.value (see cards.py) with textContent only; nothing of it ever becomes markup.
// Events to Python: 'view' {document, index, mark}, 'like' {document, index}, 'ask' {text}, 'again', 'drop_filter' {name},
// 'sample', 'extend' {limit}.
const { el, t, language, dir, button, number } = labse;
const root = element.querySelector('.results');
let focusAt = -1; // the card to focus after "Show more"
let busyTimers = [];

// A blank line starts a new line on the card, a lone line break (of a PDF, of a row) is a space.
const flow = text => text.split(/\n\s*\n/).map(piece => piece.replace(/\s+/g, ' ')).join('\n');
const passage = (cls, parts, lang) => {
  const node = el('p', cls, null, { lang: lang === 'unknown' ? null : lang, dir: dir(lang) });
  let marked = null; // neighbouring pieces of the closest sentence share one mark
  for (const part of parts) {
    const piece = part.link ? el('span', 'linked', flow(part.text), { 'data-link': part.link }) : document.createTextNode(flow(part.text));
    if (part.mark && !marked) node.append((marked = el('mark')));
    if (!part.mark) marked = null;
    (marked || node).append(piece);
  }
  return node;
};
const strengthMeter = card => el('span', `strength strength-${card.level}`, null,
  { title: t('cosine', { cosine: card.cosine }) },
  el('span', 'bars', null, { 'aria-hidden': 'true' }, el('i'), el('i'), el('i')), el('span', null, t(`strength_${card.level}`)));

const why = card => {
  const list = el('dl', 'reasons');
  const row = (key, node) => list.append(el('dt', null, t(key)), el('dd', null, null, {}, node));
  if (card.why.sentence) row('why_sentence', el('q', null, card.why.sentence, { lang: card.lang, dir: dir(card.lang) }));
  if (card.why.links.length) {
    const words = el('span', 'links');
    card.why.links.forEach((link, i) => words.append(el('span', 'link-pair', null, {}, el('sup', null, String(i + 1)),
      el('bdi', null, link.question), el('span', 'arrow', ' ↔ ', { 'aria-hidden': 'true' }), el('bdi', null, link.passage, { lang: card.lang }))));
    row('why_links', words);
  }
  if (card.why.shared.length) {
    const shared = el('span', 'shared');
    card.why.shared.forEach(word => shared.append(el('bdi', 'word', word)));
    row('why_shared', shared);
  }
  if (card.why.closer) row('why_rank', t('why_closer', { percent: card.why.closer }));
  if (card.why.found) row('why_found', t(card.why.found, card.why));
  return el('details', 'why', null, {}, el('summary', null, t('why')), list, el('p', 'check', t('why_check')));
};

const linkTo = (where, cls = 'place-link') => button(cls, null, () => trigger('view', where));
const moreInDocument = card => {
  const list = el('ul', 'more-list');
  for (const one of card.more) {
    const open = linkTo({ document: one.document, index: one.index, mark: null });
    open.append(el('span', 'place', one.place), el('span', 'clip', one.text, { lang: one.lang, dir: dir(one.lang) }));
    list.append(el('li', null, null, {}, open));
  }
  return el('details', 'more', null, {}, el('summary', null, t('more_in_document', { n: card.more.length })), list);
};
const copies = card => {
  const list = el('ul', 'more-list');
  for (const one of card.copies) {
    const open = linkTo({ document: one.document, index: one.index, mark: null });
    open.append(el('bdi', null, one.title), el('span', 'place', one.place));
    list.append(el('li', null, null, {}, open));
  }
  return el('details', 'more', null, {}, el('summary', null, t('copies', { n: card.copies.length })), list);
};

const open = card => trigger('view', { document: card.document, index: card.index, mark: card.mark });
const like = card => { labse.busy(); trigger('like', { document: card.document, index: card.index }); };
const cite = async (card, node) => {
  let done = true;
  try { await navigator.clipboard.writeText(card.citation); }
  catch (error) { // no clipboard outside a secure context: the old way
    const area = el('textarea', 'visually-hidden', card.citation);
    element.append(area); area.select();
    done = document.execCommand('copy'); area.remove();
  }
  if (!done) return;
  labse.say(t('copied'));
  const label = node?.querySelector('.copy');
  if (label) { label.textContent = t('copied'); setTimeout(() => { label.textContent = t('copy'); }, 1600); }
};

const drawCard = card => {
  const name = language(card.lang);
  const article = el('article', `card level-${card.level}`, null, {
    tabindex: '-1', 'data-document': card.document, 'data-index': card.index, 'data-rank': card.rank,
    'aria-label': t('card_label', { rank: card.rank, title: card.title, language: name, strength: t(`strength_${card.level}`) }),
  });
  const names = card.names.length > 1 ? '\n' + t('other_names', { names: card.names.slice(1).join(', ') }) : '';
  article.append(el('header', 'card-head', null, {},
    el('div', 'card-what', null, {}, el('span', 'chip', name, { title: card.lang }),
      el('bdi', 'title', card.title, { title: card.names[0] + names }), card.place ? el('bdi', 'place', card.place) : null),
    strengthMeter(card)));
  if (card.before) article.append(passage('neighbour', [{ text: card.before.text }], card.before.lang));
  article.append(passage('passage', card.parts, card.lang));
  if (card.after) article.append(passage('neighbour', [{ text: card.after.text }], card.after.lang));
  article.append(el('div', 'actions', null, {}, button('link open-source', t('open'), () => open(card)),
    button('link like', t('like'), () => like(card)), button('link copy', t('copy'), () => cite(card, article))));
  const extra = el('div', 'extra', null, {}, why(card), card.more.length ? moreInDocument(card) : null,
    card.copies.length ? copies(card) : null);
  article.append(extra);
  article.addEventListener('dblclick', event => { if (!event.target.closest('button,summary,details')) open(card); });
  return article;
};

const chips = list => {
  const row = el('div', 'chips');
  for (const one of list) {
    const label = one.lang ? (one.not ? t('not_language', { language: language(one.lang) }) : language(one.lang)) : one.label;
    const chip = button('chip removable', null, () => { labse.busy(); trigger('drop_filter', { name: one.name, value: one.value }); },
      { 'aria-label': t('remove_filter', { name: label }) });
    chip.append(el('bdi', null, label), el('span', 'cross', '×', { 'aria-hidden': 'true' }));
    row.append(chip);
  }
  return row;
};
const ask = (text, lang) => {
  const one = button('example', null, () => { labse.busy(); trigger('ask', { text }); }, { lang: lang || null, dir: 'auto' });
  one.append(el('span', null, text));
  return one;
};
const notice = (cls, title, text, ...nodes) => el('div', `notice ${cls}`, null, {},
  title ? el('h2', null, title) : null, text ? el('p', null, text) : null, ...nodes);

const first = value => {
  const add = button('primary', t('first_add'), () => labse.goTo('tab_add'));
  const sample = value.sample ? button('secondary sample', t('first_sample'), event => { event.target.disabled = true; trigger('sample'); }) : null;
  return notice('first', t('first_title'), t('first_text'), el('div', 'buttons', null, {}, add, sample));
};
const idle = value => {
  const node = notice('idle', t('idle_title'), t('idle_text'));
  node.append(el('h3', null, t('examples')), el('div', 'examples', null, {}, ...value.examples.map(one => ask(one.text, one.lang))));
  const recent = labse.recent();
  if (recent.length) {
    const head = el('h3', null, t('recent') + ' ');
    head.append(button('link', t('recent_clear'), () => { labse.clearRecent(); draw(); }));
    node.append(head, el('div', 'examples', null, {}, ...recent.map(text => ask(text))));
  }
  return node;
};
const failure = value => {
  const retry = button('secondary', t('retry'), () => { labse.busy(); trigger('again'); });
  const node = notice('error', null, value.message, el('div', 'buttons', null, {}, retry,
    value.reference ? el('span', 'reference', t('reference', { reference: value.reference })) : null));
  node.setAttribute('role', 'alert');
  return node;
};
// Behind the last passage that is at least related come those that are only shown on request.
const nearCount = value => value.state === 'weak' ? value.cards.length : value.cards.findLastIndex(card => card.level > 0) + 1;
const summary = value => {
  const line = el('div', 'summary', null, { role: 'status' });
  if (value.like) line.append(el('span', 'like-title', t('like_title')), button('link', t('back'), () => { labse.busy(); trigger('again'); }));
  const near = value.cards.slice(0, nearCount(value));
  line.append(el('span', null, t('found', { passages: t('passages', { n: near.length }),
    languages: t('languages', { n: new Set(near.map(card => card.lang)).size }), seconds: value.seconds })));
  if (!value.like && value.question_language && value.question_language !== 'unknown')
    line.append(el('span', 'guess', t('looks_like', { language: language(value.question_language) }), { title: t('looks_like_note') }));
  return line;
};

const draw = () => {
  const value = props.value || {};
  busyTimers.forEach(clearTimeout);
  busyTimers = [];
  root.setAttribute('aria-busy', 'false');
  root.dataset.state = value.state || '';
  const nodes = [];
  if (value.chips?.length) nodes.push(chips(value.chips));
  if (value.indexing) nodes.push(el('p', 'still indexing', t('still_indexing', value.indexing), { role: 'status' }));
  if (value.state === 'first') nodes.push(value.indexing ? notice('first', null, t('first_indexing')) : first(value));
  else if (value.state === 'idle') nodes.push(idle(value));
  else if (value.state === 'error') nodes.push(failure(value));
  else if (value.state === 'none') nodes.push(notice('weak', t('none_title'), t('none_text')));
  else if (value.state === 'results' || value.state === 'weak') {
    if (value.question) labse.addRecent(value.question);
    nodes.push(summary(value));
    if (value.like) nodes.push(passage('source-passage', [{ text: value.like.text }], value.like.lang));
    if (value.state === 'weak') nodes.push(notice('weak', t('weak_title'), t('weak_text')));
    const cards = value.cards.map(drawCard);
    const near = nearCount(value);
    nodes.push(...cards.slice(0, near));
    const rest = cards.slice(near), tail = rest.length ? el('details', 'distant') : null;
    if (tail) {
      tail.open = focusAt >= near;
      tail.append(el('summary', null, t('distant', { n: rest.length })), ...rest);
      nodes.push(tail);
    }
    if (value.more) (tail ? { push: node => tail.append(node) } : nodes).push(button('secondary show-more', t('show_more', { n: value.more }), () => {
      focusAt = value.cards.length; labse.busy(); trigger('extend', { limit: value.limit + value.more });
    }));
  }
  root.replaceChildren(...nodes);
  cardList()[0]?.setAttribute('tabindex', '0');
  if (focusAt >= 0) cardList()[focusAt]?.focus();
  focusAt = -1;
};

const skeleton = () => el('div', 'skeleton', null, { 'aria-hidden': 'true' },
  ...[0, 1, 2].map(() => el('div', 'card ghost', null, {}, el('i'), el('i'), el('i'))));
const onBusy = () => {
  root.setAttribute('aria-busy', 'true');
  busyTimers.forEach(clearTimeout);
  busyTimers = [
    setTimeout(() => { if (!root.querySelector('.card')) root.replaceChildren(el('p', 'still', t('searching'), { role: 'status' }), skeleton()); }, 300),
    setTimeout(() => { root.replaceChildren(failure({ message: t('offline') })); root.setAttribute('aria-busy', 'false'); }, 90000),
    setTimeout(() => { const line = root.querySelector('.still'); if (line) line.textContent = t('loading_model'); labse.say(t('loading_model')); }, 2500),
  ];
};

const cardList = () => [...root.querySelectorAll('article.card')];
const isShown = card => !card.closest('details.distant:not([open])');
const cardAt = node => (props.value?.cards || [])[cardList().indexOf(node)];
const onKey = event => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || labse.editing()) return;
  if (document.querySelector('dialog[open]') || !root.offsetParent) return;
  const list = cardList();
  const at = list.indexOf(document.activeElement?.closest?.('article.card'));
  const arrows = at >= 0 ? { ArrowDown: 1, ArrowUp: -1 } : {};
  const step = { j: 1, k: -1, ...arrows }[event.key];
  if (step && list.length) {
    event.preventDefault();
    const further = list[at + 1]?.closest('details.distant');
    if (step > 0 && further) further.open = true;
    const next = list[Math.max(0, Math.min(list.length - 1, at < 0 ? list.findIndex(isShown) : at + step))];
    list.forEach(card => card.setAttribute('tabindex', card === next ? '0' : '-1'));
    next.focus();
    return;
  }
  if (at < 0 || event.target.closest('button,summary,a')) return;
  const card = cardAt(list[at]);
  if (event.key === 'Enter') { event.preventDefault(); open(card); }
  else if (event.key === 'm') like(card);
  else if (event.key === 'c') cite(card, list[at]);
};

// The component can be mounted again: the page keeps one listener of each kind.
if (labse.resultsOff) labse.resultsOff();
// While documents come in, the line about it follows the header; the first passages end the first-run screen.
const onStatus = event => {
  const { passages, indexing } = event.detail, state = props.value?.state;
  if (state === 'first' && passages && !indexing) { trigger('again'); return; }
  const line = root.querySelector('.still.indexing');
  if (!line) return;
  if (indexing) line.textContent = t('still_indexing', indexing); else line.remove();
};
window.addEventListener('labse-busy', onBusy);
window.addEventListener('labse-status', onStatus);
document.addEventListener('keydown', onKey);
labse.resultsOff = () => {
  window.removeEventListener('labse-busy', onBusy);
  window.removeEventListener('labse-status', onStatus);
  document.removeEventListener('keydown', onKey);
};
labse.question()?.setAttribute('dir', 'auto'); // Gradio writes ltr
watch('value', draw);
draw();
