// What the app runs with, and the keyboard. Nothing here changes anything.
const { el, t } = labse;
const root = element.querySelector('.settings');
const draw = () => {
  const value = props.value;
  if (!value?.rows) return;
  const body = el('tbody');
  for (const one of value.rows) body.append(el('tr', null, null, {}, el('th', null, t(one.label), { scope: 'row' }),
    el('td', null, null, {}, el('bdi', null, one.value)), el('td', null, null, {}, one.variable ? el('code', null, one.variable) : null)));
  root.replaceChildren(
    el('div', 'table-box', null, {}, el('table', 'settings-table', null, {}, el('thead', null, null, {}, el('tr', null, null, {}, el('th', null, t('settings_setting'), { scope: 'col' }), el('th', null, t('settings_value'), { scope: 'col' }), el('th', null, t('settings_variable'), { scope: 'col' }))), body)),
    el('p', 'note', t('settings_note')), value.signs_in ? el('p', 'note', null, {}, el('a', 'link', t('sign_out'), { href: 'logout' })) : '', el('h2', null, t('keyboard')), labse.keyList());
};
watch('value', draw);
draw();
