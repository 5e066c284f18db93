// @ts-check
// Answers that were judged, question by question. Events to Python: 'forget' {collection, question, passage}, 'shown' when
// another collection was opened.
const { el, t, button } = labse;
const root = element.querySelector('.judged-part');
let last = '', newest = 0;
const row = one => {
  const right = one.answers.filter(answer => answer.answers).length;
  const list = el('ul', 'judgements');
  for (const answer of one.answers) list.append(el('li', null, null, {}, el('span', answer.answers ? 'ok' : 'wrong', t(answer.answers ? 'judge_yes' : 'judge_no')), el('bdi', 'clip', answer.text),
    button('link act-remove', t('teach_forget'), event => { labse.hold(event.target); trigger('forget', { collection: props.value.collection, question: one.text, passage: answer.passage }); })));
  return el('details', 'judged-question', null, {}, el('summary', null, null, {}, el('bdi', null, one.text), el('span', 'chip', t(`teach_${one.split}`)),
    el('span', 'subdued', t('teach_answers', { right, wrong: one.answers.length - right }))), list);
};
const draw = () => {
  const value = props.value;
  if (!value?.questions) return;
  labse.release(root);
  if (value.nonce < newest) return; // a later answer overtook it
  newest = value.nonce;
  const now = JSON.stringify([value.collection, value.questions, value.message]);
  if (now === last) return;
  last = now;
  const open = new Set([...root.querySelectorAll('details[open] > summary > bdi')].map(node => node.textContent));
  const box = el('section', null, null, { 'aria-labelledby': 'labse-teach-judged' }, el('h2', null, t('teach_judged'), { id: 'labse-teach-judged' }));
  if (value.message) box.append(el('p', 'notice error', value.message, { role: 'alert' }));
  box.append(el('p', 'note', t('teach_judged_note')));
  if (!value.questions.length) box.append(el('p', 'empty', t('teach_judged_none')));
  else box.append(el('div', 'buttons', null, {}, el('span', 'counts', t('teach_questions', { n: value.count })), el('a', 'link', t('teach_qrels'), { href: `teach/judgements.zip?${new URLSearchParams({ collection: value.collection })}`, download: '' })), ...value.questions.map(row));
  root.replaceChildren(box);
  for (const node of root.querySelectorAll('details')) node.open = open.has(node.querySelector('bdi').textContent);
};
watch('value', draw);
draw();
if (labse.judgedOff) labse.judgedOff();
const onStatus = event => { if (root.offsetParent && props.value?.collection && event.detail.collection !== props.value.collection) trigger('shown'); };
window.addEventListener('labse-status', onStatus);
labse.judgedOff = () => window.removeEventListener('labse-status', onStatus);
