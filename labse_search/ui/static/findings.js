// @ts-check
// Passages that were kept. Events to Python: 'annotate' {document, index, note or tags}, 'drop' {document, index}.
const { el, t, language, dir, button } = labse;
const root = element.querySelector('.findings');
let last = '', wanted = '', newest = 0;

const field = (one, key, value, tag) => {
  const id = `labse-${key}-${one.document}-${one.index}`;
  const input = el(tag, `finding-${key}`, null, { id, dir: 'auto', rows: tag === 'textarea' ? '2' : null, type: tag === 'input' ? 'text' : null });
  input.value = value;
  // Only what was changed here: the other field may have been changed in another tab.
  input.addEventListener('change', () => trigger('annotate', { document: one.document, index: one.index,
    [key]: key === 'tags' ? input.value.split(',').map(tag => tag.trim()).filter(Boolean) : input.value }));
  return el('div', 'finding-field', null, {}, el('label', null, t(`${key}_label`), { for: id }), input);
};
const row = one => el('article', 'finding', null, { 'data-passage': `${one.document}.${one.index}` },
  el('header', 'card-what', null, {}, el('span', 'chip', language(one.language)), el('h3', 'title', null, {}, el('bdi', null, one.title)), one.place ? el('bdi', 'place', one.place) : null),
  el('p', 'passage', one.sentence || one.text, { lang: one.language === 'unknown' ? null : one.language, dir: dir(one.language) }),
  one.question ? el('p', 'subdued', t('findings_question', { question: one.question }), { dir: 'auto' }) : null,
  field(one, 'note', one.note, 'textarea'), field(one, 'tags', one.tags.join(', '), 'input'),
  el('div', 'actions', null, {}, button('link open-source', t('open'), () => labse.go({ view: `${one.document}.${one.index}` })),
    button('link remove', t('remove'), () => trigger('drop', { document: one.document, index: one.index }))));
const fits = one => {
  const low = wanted.toLocaleLowerCase();
  return !low || [one.text, one.title, one.note, one.question, ...one.tags].some(words => words.toLocaleLowerCase().includes(low));
};
const list = value => {
  const box = el('div', 'finding-list');
  box.append(...value.findings.filter(fits).map(row));
  return box;
};
const draw = () => {
  const value = props.value;
  if (!value?.findings || value.nonce < newest) return; // one of several answers, overtaken by a later one
  newest = value.nonce;
  labse.kept = new Set(value.findings.map(one => `${one.document}.${one.index}`));
  window.dispatchEvent(new Event('labse-kept'));
  const now = JSON.stringify([value.findings, value.message]);
  if (now === last) return;
  if (root.contains(document.activeElement) && labse.editing() && !value.message) return; // somebody writes on: drawn by the next answer
  last = now;
  const nodes = [];
  if (value.message) nodes.push(el('p', 'notice error', value.message, { role: 'alert' }));
  if (!value.findings.length) nodes.push(el('p', 'empty', t('findings_none')));
  else {
    const find = el('input', 'find', null, { type: 'search', placeholder: t('findings_find'), 'aria-label': t('findings_find') });
    find.value = wanted;
    find.addEventListener('input', () => { wanted = find.value; root.querySelector('.finding-list').replaceWith(list(value)); });
    nodes.push(el('div', 'list-head', null, {}, el('h2', null, t('findings_count', { n: value.findings.length })),
      labse.exports('findings', new URLSearchParams({ collection: value.collection })), find), list(value));
  }
  root.replaceChildren(...nodes);
};
watch('value', draw);
draw();
