// @ts-check
// The answers: draws props.value (see cards.py) with textContent only; nothing of it ever becomes markup.
// Events to Python: 'like' {like}, 'ask' {text}, 'again', 'drop_filter' {filters}, 'sample', 'extend' {limit, address, turn}, 'keep' {document, index, mark, question},
// 'unkeep' {document, index}, 'judge' {document, index, question, answers}: "yes", "no", or "" to take it back,
// 'steer' {steers}, 'facet' {filters}, 'sort' {sort}, 'save_search' {address}.
// A source is opened by the address (viewer.js follows it).
const { el, t, language, dir, button, number } = labse;
const root = element.querySelector('.results');
let focusAt = -1; // the card to focus after "Show more"
let ordered = []; // the cards as they are drawn
let busyTimers = [];

// A blank line starts a new line on the card, a lone line break (of a PDF, of a row) is a space.
const flow = text => text.split(/\n\s*\n/).map(piece => piece.replace(/\s+/g, ' ')).join('\n');
const passage = (cls, parts, lang) => {
  const node = el('p', cls, null, { lang: lang === 'unknown' ? null : lang, dir: dir(lang) });
  let marked = null; // neighbouring pieces of the closest sentence share one mark
  for (const part of parts) {
    const piece = part.link ? el('span', 'linked', flow(part.text), { 'data-link': part.link, 'data-word': part.word || null }) : document.createTextNode(flow(part.text));
    if (part.mark && !marked) node.append((marked = el('mark')));
    if (!part.mark) marked = null;
    (marked || node).append(piece);
  }
  return node;
};
const strengthMeter = card => el('span', `strength strength-${card.level}`, null,
  { title: `${t('likely', { percent: `${card.likely} %` })} · ${t('cosine', { cosine: card.cosine })}` },
  el('span', 'bars', null, { 'aria-hidden': 'true' }, el('i'), el('i'), el('i')), el('span', null, t(`strength_${card.level}`)));

const passageOf = one => `${one.document}.${one.index}`;
const viewOf = one => `${one.document}.${one.index}` + (one.mark ? `.${one.mark[0]}-${one.mark[1]}` : '');
const open = one => labse.go({ view: viewOf(one) });
let marks = null; // the closest sentences of the cards that are drawn, as they come in (marks.js)
const read = async card => { await marks.of(card); open(card); };
const linkTo = (where, cls = 'place-link') => button(cls, null, () => open(where));
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

const like = card => { focusAt = 0; labse.busy(); trigger('like', { like: passageOf(card) }); };
const copied = async (words, node, cls, key) => {
  const label = node?.querySelector(cls);
  if (!await labse.copy(words, element) || !label) return;
  label.textContent = t('copied'); setTimeout(() => { label.textContent = t(key); }, 1600);
};
const cite = async (card, node) => { await marks.of(card); await copied(card.citation, node, '.copy', 'copy'); };
const copyLink = async (card, node) => { await marks.of(card); await copied(labse.link(viewOf(card)), node, '.copy-link', 'copy_link'); };

const keepButton = card => {
  const node = button('link keep', '', () => {
    const kept = node.getAttribute('aria-pressed') === 'true';
    if (kept) trigger('unkeep', { document: card.document, index: card.index });
    else marks.of(card).then(() => trigger('keep', { document: card.document, index: card.index, mark: card.mark, question: props.value?.question || '' }));
    labse.kept[kept ? 'delete' : 'add'](passageOf(card));
    star(node, !kept);
  }, { 'data-passage': passageOf(card) });
  star(node, labse.kept.has(passageOf(card)));
  return node;
};
const star = (node, kept) => { node.setAttribute('aria-pressed', String(kept)); node.textContent = (kept ? '★ ' : '☆ ') + t(kept ? 'kept' : 'keep'); };
// The list of all findings comes when its tab is opened first: until then an answer tells which of its cards are kept.
let told = null;
const takeKept = value => {
  if (!value.kept || value.nonce === told) return;
  told = value.nonce;
  for (const card of value.cards) labse.kept[value.kept.includes(passageOf(card)) ? 'add' : 'delete'](passageOf(card));
};
const onKept = () => root.querySelectorAll('.keep').forEach(node => star(node, labse.kept.has(node.dataset.passage)));

// Whether a passage answers the question: what the Teach tab learns from. A second press takes it back.
const judgeButtons = card => {
  const { question, like, judged } = props.value;
  if (!question || like || !judged) return null;
  const node = el('span', 'judge', null, { role: 'group', title: t('judge_note') });
  const buttons = [['yes', '✓ '], ['no', '✗ ']].map(([answer, sign]) => button(`link judge-${answer}`, sign + t(`judge_${answer}`), () => {
    const pressed = buttons.find(one => one.getAttribute('aria-pressed') === 'true');
    const said = pressed === buttons[answer === 'yes' ? 0 : 1] ? '' : answer;
    if (said) judged[card.passage] = said === 'yes'; else delete judged[card.passage];
    show();
    trigger('judge', { document: card.document, index: card.index, question, answers: said });
  }));
  const show = () => buttons.forEach((one, i) => one.setAttribute('aria-pressed', String(judged[card.passage] === !i)));
  show();
  node.append(...buttons);
  return node;
};

const drawCard = card => {
  const name = language(card.lang);
  const article = el('article', `card level-${card.level}`, null, {
    tabindex: '-1', 'data-focus': `card ${passageOf(card)}`, 'data-document': card.document, 'data-index': card.index, 'data-rank': card.rank,
    'aria-label': t('card_label', { rank: card.rank, title: card.title, language: name, strength: t(`strength_${card.level}`) }),
  });
  const names = card.names.length > 1 ? '\n' + t('other_names', { names: card.names.slice(1).join(', ') }) : '';
  article.append(el('header', 'card-head', null, {},
    el('div', 'card-what', null, {}, el('span', 'chip', name, { title: card.lang }), (props.value.new || []).includes(passageOf(card)) ? el('span', 'saved-new', t('saved_is_new')) : null,
      el('h3', 'title', null, { title: card.names[0] + names }, el('bdi', null, card.title)), card.place ? el('bdi', 'place', card.place) : null),
    strengthMeter(card)));
  if (card.before) article.append(passage('neighbour', [{ text: card.before.text }], card.before.lang));
  article.append(passage('passage', card.parts, card.lang));
  if (card.after) article.append(passage('neighbour', [{ text: card.after.text }], card.after.lang));
  if (card.also.length) article.append(el('p', 'also', t('also_in', { languages: card.also.map(language).join(', ') })));
  article.append(el('div', 'actions', null, {}, button('link open-source', t('open'), () => read(card)),
    button('link like', t('like'), () => like(card)), button('link copy', t('copy'), () => cite(card, article)),
    button('link copy-link', t('copy_link'), () => copyLink(card, article)), keepButton(card), labse.steerButtons(passageOf(card)), judgeButtons(card)));
  const extra = el('div', 'extra', null, {}, labse.why(card), card.more.length ? moreInDocument(card) : null,
    card.copies.length ? copies(card) : null);
  article.append(extra);
  marks.watch(card, article);
  labse.explains(article, card, () => ({ question: props.value?.like?.text || props.value?.question || '', collection: props.value?.collection || '' }),
    parts => article.querySelector('.passage').replaceChildren(...passage('passage', parts, card.lang).childNodes));
  article.addEventListener('dblclick', event => { if (!(event.target instanceof Element && event.target.closest('button,summary,details'))) read(card); });
  return article;
};

// The closest sentence came in: the same words, so nothing moves. What a person has selected stays selected.
const mark = (card, article) => {
  const chosen = getSelection();
  if (!article.dataset.linked && !(chosen && article.contains(chosen.anchorNode) && !chosen.isCollapsed))
    article.querySelector('.passage').replaceChildren(...passage('passage', card.parts, card.lang).childNodes);
  labse.whySentence(article, card);
};

// Filters that are pressed one after the other: what is pressed while the last are on their way waits until the fields
// have them, which is when the search after them begins; answers that overtook each other would take filters back.
let changing = false;
const pressed = new Map(); // event → filters
const send = () => {
  const [next] = pressed;
  changing = !!next;
  if (next) { pressed.delete(next[0]); trigger(next[0], { filters: next[1] }); }
};
const change = (event, filters) => { labse.busy(); pressed.set(event, filters); if (!changing) send(); };
// Both are sent with all that were pressed since they were drawn: each as it is to be then, however it is now.
const chips = list => {
  const row = el('div', 'chips'), gone = [];
  const drop = one => { gone.push(one); change('drop_filter', gone); };
  for (const one of list) {
    const label = labse.filterName(one);
    const chip = button('chip removable', null, () => drop({ name: one.name, value: one.value }),
      { 'aria-label': t('remove_filter', { name: label }) });
    chip.append(el('bdi', null, label), el('span', 'cross', '×', { 'aria-hidden': 'true' }));
    row.append(chip);
  }
  if (list.length > 1) row.append(button('link clear-filters', t('clear_filters'), () => drop({ name: 'all', value: '' })));
  return row;
};
const facets = groups => {
  const chosen = new Map();
  const isOn = one => groups.find(group => group.name === one.name).values.find(other => other.value === one.value).on;
  return labse.facetBar(groups, one => {
    const key = `${one.name} ${one.value}`, on = chosen.get(key)?.on ?? (isOn(one) ? 'yes' : '');
    chosen.delete(key); // the last one pressed comes last: of periods only one holds
    chosen.set(key, { ...one, on: on ? '' : 'yes' });
    change('facet', [...chosen.values()]);
  });
};
const order = value => {
  const select = el('select', 'pick', null, { 'aria-label': t('order'), 'data-focus': 'order' });
  for (const [sort, key] of [['', 'order_relevance'], ['place', 'order_place']]) {
    const option = el('option', null, t(key), { value: sort });
    option.selected = sort === value.sort;
    select.append(option);
  }
  select.addEventListener('change', () => { labse.busy(); trigger('sort', { sort: select.value }); });
  return select;
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
  const sample = value.sample ? button('secondary sample', t('first_sample'), event => { labse.hold(event.target); trigger('sample'); }) : null;
  const another = button('link', t('model_more'), () => { labse.wantsModel = true; labse.goTo('tab_collection'); });
  const model = value.model ? el('p', 'model-line', null, {}, el('span', null, t('model_answers', { name: value.model.name })), ' ', value.model.problem || t(`model_known_${value.model.known}`), ' ', another) : null;
  return notice('first', t('first_title'), t('first_text'), el('div', 'buttons', null, {}, add, sample), model);
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
// Behind the last passage that is at least related come those that are only shown on request; in the order of a document
// all that are not related.
const nearOf = value => {
  if (value.state === 'weak' || value.steers?.length) return value.cards; // who steers looks around
  if (value.sort) return value.cards.filter(card => card.level > 0);
  return value.cards.slice(0, value.cards.findLastIndex(card => card.level > 0) + 1);
};
const summary = value => {
  const line = el('div', 'summary', null, { role: 'group', 'aria-label': t('results') });
  if (value.like) line.append(el('span', 'like-title', t('like_title')), button('link', t('back'), () => { labse.busy(); trigger('again'); }));
  const near = nearOf(value);
  line.append(el('span', null, t('found', { passages: t('passages', { n: near.length }),
    languages: t('languages', { n: new Set(near.map(card => card.lang)).size }), seconds: value.seconds })));
  if (!value.like && value.question_language && value.question_language !== 'unknown')
    line.append(el('span', 'guess', t('looks_like', { language: language(value.question_language) }), { title: t('looks_like_note') }));
  if (!value.like) {
    line.append(order(value), ...(value.steers?.length ? [] : [labse.asking()]), labse.saveButton(value.saved, () => trigger('save_search', { address: location.search.slice(1) })));
    const parameters = new URL(location.href).searchParams;
    ['view', 'tab', 'like'].forEach(key => parameters.delete(key));
    line.append(labse.exports('results', parameters));
  }
  return line;
};

const draw = () => {
  const value = props.value || {};
  if (value.turn && Number(value.turn) < labse.turn) return; // overtaken: what was asked later is answered, or will be
  const held = root.contains(document.activeElement) && document.activeElement?.closest('[data-focus]')?.dataset.focus;
  labse.takeSteers(value, steers => { labse.busy(); trigger('steer', { steers }); });
  busyTimers.forEach(clearTimeout);
  busyTimers = [];
  root.setAttribute('aria-busy', 'false');
  root.dataset.state = value.state || '';
  marks = labse.marking(value, mark);
  const wasOpen = marks.again && !!root.querySelector('details.distant[open]'); // what somebody has opened stays open
  takeKept(value);
  const nodes = [];
  if (value.steers?.length) nodes.push(labse.steerRow());
  if (value.chips?.length) nodes.push(chips(value.chips));
  if (value.facets) nodes.push(facets(value.facets));
  if (value.indexing) nodes.push(el('p', 'still indexing', t('still_indexing', value.indexing), { role: 'status' }));
  if (value.state === 'first') nodes.push(value.indexing ? notice('first', null, t('first_indexing')) : first(value));
  else if (value.state === 'idle') nodes.push(idle(value));
  else if (value.state === 'error') nodes.push(failure(value));
  else if (value.state === 'none') nodes.push(...(value.notes || []).map(note => el('p', 'still', note, { role: 'note' })), notice('weak', t('none_title'), t('none_text')));
  else if (value.state === 'results' || value.state === 'weak') {
    if (value.question) labse.addRecent(value.question);
    nodes.push(el('h2', 'visually-hidden', t('results')), summary(value));
    for (const note of value.notes || []) nodes.push(el('p', 'still', note, { role: 'note' }));
    if (value.like) nodes.push(passage('source-passage', [{ text: value.like.text }], value.like.lang));
    if (value.state === 'weak' && !value.steers?.length) nodes.push(notice('weak', t('weak_title'), t('weak_text')));
    const near = nearOf(value), far = value.cards.filter(card => !near.includes(card));
    ordered = [...near, ...far];
    const cards = ordered.map(drawCard);
    nodes.push(...cards.slice(0, near.length));
    const rest = cards.slice(near.length), tail = rest.length ? el('details', 'distant') : null;
    if (tail) {
      tail.open = wasOpen || focusAt >= near.length;
      tail.append(el('summary', null, t('distant', { n: rest.length })), ...rest);
      nodes.push(tail);
    }
    if (value.more) (tail ? { push: node => tail.append(node) } : nodes).push(button('secondary show-more', t('show_more', { n: value.more }), () => {
      focusAt = value.cards.length; labse.busy();
      trigger('extend', { limit: value.limit + value.more, address: location.search.slice(1), turn: labse.takeTurn() });
    }));
  }
  root.replaceChildren(...nodes.filter(Boolean));
  cardList()[0]?.setAttribute('tabindex', '0');
  labse.cards = value.cards || [];
  document.documentElement.classList.toggle('labse-answered', labse.cards.length > 0);
  window.dispatchEvent(new Event('labse-drawn'));
  if (focusAt >= 0) cardList()[focusAt]?.focus();
  else if (held) (root.querySelector(`[data-focus="${CSS.escape(held)}"]`) || cardList()[0])?.focus({ preventScroll: true });
  focusAt = -1;
};

const skeleton = () => el('div', 'skeleton', null, { 'aria-hidden': 'true' },
  ...[0, 1, 2].map(() => el('div', 'card ghost', null, {}, el('i'), el('i'), el('i'))));
const fail = message => {
  busyTimers.forEach(clearTimeout);
  root.replaceChildren(failure({ message }));
  root.setAttribute('aria-busy', 'false');
};
const onBusy = () => {
  root.setAttribute('aria-busy', 'true');
  busyTimers.forEach(clearTimeout);
  busyTimers = [
    setTimeout(() => { if (!root.querySelector('.card')) root.replaceChildren(el('p', 'still', t('searching'), { role: 'status' }), skeleton()); }, 300),
    setTimeout(() => fail(t('offline')), 90000),
    setTimeout(() => { const line = root.querySelector('.still'); if (line) line.textContent = t('loading_model'); labse.say(t('loading_model')); }, 2500),
  ];
};

const cardList = () => [...root.querySelectorAll('article.card')];
const isShown = card => !card.closest('details.distant:not([open])');
const cardAt = node => ordered[cardList().indexOf(node)];
const onKey = event => {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || labse.editing()) return;
  if (labse.modal() || !root.offsetParent) return;
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
  if (at < 0 || event.target.closest('button,summary,a,dialog')) return;
  const card = cardAt(list[at]);
  if (event.key === 'Enter') { event.preventDefault(); read(card); }
  else if (event.key === 'm') like(card);
  else if (event.key === '+' || event.key === '-') labse.steer(passageOf(card), event.key === '+' ? 'plus' : 'minus');
  else if (event.key === 'w') { const reasons = list[at].querySelector('.why'); reasons.open = !reasons.open; }
  else if (event.key === 'c') cite(card, list[at]);
  else if (event.key === 'y') list[at].querySelector('.judge-yes')?.click();
  else if (event.key === 'x') list[at].querySelector('.judge-no')?.click();
};

// The component can be mounted again: the page keeps one listener of each kind.
if (labse.resultsOff) labse.resultsOff();
// While documents come in, the line about it follows the header; the first passages end the first-run screen, and it comes
// back where none came.
const onStatus = event => {
  const { passages, indexing } = event.detail, state = props.value?.state;
  if (state === 'first' && !indexing && (passages || props.value.indexing)) { trigger('again'); return; }
  const line = root.querySelector('.still.indexing');
  if (!line) return;
  if (indexing) line.textContent = t('still_indexing', indexing); else line.remove();
};
// The reader asks for the next or the previous passage of the list.
const onStep = event => {
  const cards = ordered, { document: id, index, by } = event.detail;
  const at = cards.findIndex(card => card.document === id && card.index === index);
  const next = cards[at < 0 ? 0 : at + by];
  if (!next) return;
  read(next);
  const node = cardList()[cards.indexOf(next)], rest = node?.closest('details.distant');
  if (rest) rest.open = true;
  node?.scrollIntoView({ block: 'nearest' });
};
const onReading = event => cardList().forEach((node, i) => {
  const card = ordered[i];
  node.classList.toggle('current', !!card && event.detail === `${card.document}.${card.index}`);
});
const onSaved = event => root.querySelector('.save-search')?.answered(event.detail.message, event.detail.saved);
const onFailed = event => {
  const { address, limit, turn, inputs } = event.detail;
  if (address != null && limit == null) root.querySelector('.save-search')?.answered(t('ask_failed'));
  // The last search, which has its turn behind its fields; "Show more" says its own.
  if (Number(turn ?? (inputs.length > 2 ? inputs.at(-1) : 0)) === labse.turn && labse.turn) fail(t('ask_failed'));
};
window.addEventListener('labse-saved', onSaved);
window.addEventListener('labse-failed', onFailed);
window.addEventListener('labse-kept', onKept);
window.addEventListener('labse-failed', onKept); // a star is set before its answer comes
window.addEventListener('labse-step', onStep);
window.addEventListener('labse-reading', onReading);
window.addEventListener('labse-busy', onBusy);
window.addEventListener('labse-status', onStatus);
window.addEventListener('labse-address', send);
document.addEventListener('keydown', onKey);
labse.resultsOff = () => {
  window.removeEventListener('labse-saved', onSaved);
  window.removeEventListener('labse-failed', onFailed);
  window.removeEventListener('labse-kept', onKept);
  window.removeEventListener('labse-failed', onKept);
  window.removeEventListener('labse-step', onStep);
  window.removeEventListener('labse-reading', onReading);
  window.removeEventListener('labse-busy', onBusy);
  window.removeEventListener('labse-status', onStatus);
  window.removeEventListener('labse-address', send);
  document.removeEventListener('keydown', onKey);
};
watch('value', draw);
draw();
if (labse.early.asked) onBusy();
