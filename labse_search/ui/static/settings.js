// @ts-check
// What the app runs with, and the keyboard. Event to Python: 'save' {model, precision, max_file_mb, ocr, language, theme},
// those that were changed.
const { el, t, button, bytes } = labse;
const root = element.querySelector('.settings');
let last = '';

const choice = (id, options, value, attributes = {}) => {
  const select = el('select', 'pick', null, { id, ...attributes });
  for (const [key, label] of options) { const option = el('option', null, label, { value: key }); option.selected = key === value; select.append(option); }
  return select;
};
const line = (id, label, control, note) => el('div', 'field', null, {}, el('label', null, label, { for: id }), el('div', 'control', null, {}, control, note ? el('span', 'note', note) : null));
const looks = value => {
  const language = choice('labse-language', Object.entries(labse.languages), labse.locale);
  for (const option of language.options) option.lang = option.value;
  language.addEventListener('change', () => { if (value.editable) trigger('save', { language: language.value }); labse.setLanguage(language.value); });
  const theme = choice('labse-theme', ['auto', 'light', 'dark'].map(name => [name, t(`theme_${name}`)]), labse.theme());
  theme.addEventListener('change', () => { labse.setTheme(theme.value); if (value.editable) trigger('save', { theme: theme.value }); });
  return el('section', 'fields', null, {}, line('labse-language', t('settings_language'), language, t('settings_language_note')), line('labse-theme', t('settings_theme'), theme));
};
const form = value => {
  const box = el('section', 'fields'), controls = {};
  for (const one of value.fields) {
    const id = `labse-${one.name}`, off = one.fixed || !value.editable ? '' : null;
    const control = one.choices.length ? choice(id, one.choices.map(name => [name, name]), one.value, { disabled: off })
      : el('input', 'find', null, { id, type: one.name === 'max_file_mb' ? 'number' : 'text', min: 1, disabled: off, spellcheck: 'false', autocomplete: 'off', dir: 'ltr' });
    control.value = one.value;
    controls[one.name] = control;
    box.append(line(id, t(one.label), control, one.fixed ? t('settings_fixed', { variable: one.variable }) : ''));
  }
  const save = button('primary', t('settings_save'), () => {
    const changed = value.fields.filter(one => controls[one.name].value !== one.value).map(one => [one.name, controls[one.name].value]);
    if (changed.length) { labse.hold(save); trigger('save', Object.fromEntries(changed)); }
  }, { id: 'labse-save' });
  if (value.editable) box.append(el('div', 'buttons', null, {}, save));
  if (value.message) box.append(el('p', 'notice error', value.message, { role: 'alert' }));
  else if (value.saved) box.append(el('p', 'notice', t('settings_saved'), { role: 'status' }));
  return box;
};
const space = value => {
  const list = el('dl', 'rows');
  for (const [key, size] of value.space.slice(1)) list.append(el('dt', null, t(key)), el('dd', null, bytes(size)));
  return el('section', null, null, {}, el('h2', null, `${t('settings_used')}: ${bytes(value.space[0][1])}`), list);
};
const rest = value => {
  const list = el('dl', 'rows');
  for (const one of value.rows) list.append(el('dt', null, t(one.label)), el('dd', null, null, {}, el('bdi', null, one.value), ' ', one.variable ? el('code', null, one.variable) : null));
  return el('section', null, null, {}, list, el('p', 'note', t('settings_note')));
};
const draw = () => {
  const value = props.value;
  if (!value?.rows) return;
  labse.release(root);
  const now = JSON.stringify({ ...value, nonce: 0 });
  if (now === last) return;
  last = now;
  const held = root.contains(document.activeElement) ? document.activeElement?.id : '';
  const out = value.signs_in ? el('form', null, null, { method: 'post', action: 'sign-out' }, el('button', 'link', t('sign_out'), { type: 'submit' })) : '';
  root.replaceChildren(looks(value), form(value), space(value), rest(value), out, el('section', null, null, {}, el('h2', null, t('keyboard')), labse.keyList()));
  if (held) document.getElementById(held)?.focus();
};
watch('value', draw);
draw();
