// @ts-check
// Saved searches, each with how much is new since it was last opened. Events to Python: 'look', 'open' {id}, 'drop' {id}.
const { el, t, button, date } = labse;
const root = element.querySelector('.saved');
let went = 0;

const chipOf = chip => el('span', 'chip', labse.filterName(chip));
const row = one => el('li', 'saved-row', null, {},
  button('saved-open', null, () => { root.setAttribute('aria-busy', 'true'); trigger('open', { id: one.id }); }, { dir: 'auto' }),
  el('span', 'saved-what', null, {}, ...one.chips.map(chipOf), el('span', one.new ? 'saved-new' : 'subdued', one.new ? t('saved_new', { n: one.new }) : t('saved_none', { date: date(one.opened) }))),
  one.problem ? el('span', 'wrong', one.problem) : null,
  button('link remove', t('remove'), () => trigger('drop', { id: one.id }), { 'aria-label': t('saved_remove', { name: one.question }) }));
const draw = () => {
  const value = props.value;
  if (!value?.searches) return;
  root.setAttribute('aria-busy', 'false');
  const list = el('ul', 'saved-list');
  for (const one of value.searches) {
    const node = row(one);
    node.querySelector('.saved-open').append(el('span', null, one.question));
    list.append(node);
  }
  root.replaceChildren(el('h2', null, t('saved_title')), ...(value.message ? [el('p', 'notice error', value.message, { role: 'alert' })] : []),
    value.searches.length ? list : el('p', 'empty', t('saved_empty')));
  if (value.go && value.nonce !== went) { went = value.nonce; labse.openSearch(value.go); }
};
watch('value', draw);
draw();
