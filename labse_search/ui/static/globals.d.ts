// The types that the page's scripts share; read by tsc alone (jsconfig.json), never served.

// What Gradio gives to a component's script.
declare const element: HTMLElement;
declare const props: { value: any };
declare const trigger: (event: string, data?: object) => void;
declare const watch: (prop: string, changed: () => void) => void;

type Attributes = Record<string, string | number | boolean | null | undefined>;
type Words = Record<string, any>;
type Child = Node | string | false | null | undefined;

interface Job {
  id: number;
  kind: string;
  state: string;
  requested: string;
  current: string;
  error: string;
  seconds_left: number | null;
}
interface Card extends Record<string, any> {
  document: string;
  index: number;
  rank: number;
  passage: string;
  mark: [number, number] | null;
}
interface Steer { weight: number; passage: string; text: string; title: string; lang: string }
interface MapState {
  by: string; only: number; zoom: number; x: number; y: number; at: number; topic: number; lasso: boolean;
  chosen: Set<number> | null; path: [number, number][]; hits: number[];
}
interface Marks { again: boolean; watch(card: Card, node: HTMLElement): void; of(card: Card): Promise<void> }

/** What page.js and the scripts beside it in the head share. */
interface Labse extends Record<string, any> {
  readonly turn: number;
  takeTurn(): number;
  readonly locale: string;
  readonly languages: Record<string, string>;
  kept: Set<string>;
  el<K extends keyof HTMLElementTagNameMap>(tag: K, cls?: string | null, text?: unknown, attributes?: Attributes | null, ...children: Child[]): HTMLElementTagNameMap[K];
  t(key: string, values?: Words): string;
  language(code: string): string;
  dir(code: string): string;
  bytes(n: number): string;
  duration(seconds: number): string;
  date(seconds: number): string;
  number(n: number, digits?: number): string;
  button(cls: string, label: string | null, onclick: (event: any) => void, attributes?: Attributes): HTMLButtonElement;
  goTo(key: string): void;
  editing(): boolean;
  modal(): HTMLDialogElement | null;
  question(): HTMLTextAreaElement | null;
  say(message: string): void;
  remember(values: Words): number;
  go(changes: Words, replace?: boolean): void;
  openSearch(search: string): void;
  parameter(key: string): string;
  link(view: string): string;
  opened(name: string): string;
  copy(words: string, beside: Element): Promise<boolean>;
  exports(what: string, parameters: URLSearchParams | string): HTMLElement;
  filterName(one: Words): string;
  hold(node: HTMLElement, words?: string): void;
  release(within: Node): void;
  jobLine(job: Job & Words, running: string, done: { at: number; of: number; words: string }, ask: (wanted: string) => void): HTMLElement;
  recent(): string[];
  addRecent(text: string): void;
  busy(): void;
  part(key: string, file: string, element: Element, ...given: unknown[]): Promise<void>;
  early: { readonly waiting: boolean; readonly asked: boolean; question(): string | object; begin(question: string, like: string): [string, string] };
  feed: { follow(collection: string): void; readonly gone: boolean; readonly beats: number };
  dropped: [File, string][][];
  marking(value: Words, fill: (card: Card, node: HTMLElement) => void): Marks;
  steer(passage: string, sign: string, text?: string): void;
}
declare var labse: Labse;

interface Window { labse: Labse; labseCollection: string }
interface WindowEventMap {
  'labse-address': CustomEvent; 'labse-busy': CustomEvent; 'labse-drawn': CustomEvent; 'labse-dropped': CustomEvent;
  'labse-failed': CustomEvent; 'labse-feed': CustomEvent; 'labse-gone': CustomEvent; 'labse-back': CustomEvent; 'labse-kept': CustomEvent;
  'labse-pick': CustomEvent; 'labse-reading': CustomEvent; 'labse-saved': CustomEvent; 'labse-status': CustomEvent; 'labse-step': CustomEvent;
}
// The page's own elements, found by selectors that no checker reads.
interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}
interface Element { closest(selectors: string): any }
interface NonElementParentNode { getElementById(id: string): any }
// filter(Boolean) leaves nothing empty.
interface Array<T> { filter(test: BooleanConstructor): Exclude<T, null | undefined | false | '' | 0>[] }
interface HTMLCanvasElement { map?: any }
