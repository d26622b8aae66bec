// 写手撕题的编辑器：CodeMirror，颜色用网站的变量，明暗都合适。
import { defaultKeymap, history, historyKeymap, indentLess, indentMore } from "@codemirror/commands"
import { HighlightStyle, LanguageSupport, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language"
import { pythonLanguage } from "@codemirror/lang-python"
import { EditorState } from "@codemirror/state"
import { EditorView, keymap, lineNumbers } from "@codemirror/view"
import { tags } from "@lezer/highlight"

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--md-code-hl-keyword-color)" },
  { tag: tags.string, color: "var(--md-code-hl-string-color)" },
  { tag: tags.number, color: "var(--md-code-hl-number-color)" },
  { tag: tags.comment, color: "var(--md-code-hl-comment-color)" },
  { tag: tags.function(tags.definition(tags.variableName)), color: "var(--md-code-hl-function-color)" },
])
const look = EditorView.theme({
  "&": { backgroundColor: "var(--md-code-bg-color)", color: "var(--md-code-fg-color)", fontSize: "0.64rem" },
  "&.cm-focused": { outline: "0.1rem solid var(--md-accent-fg-color)" },
  ".cm-scroller": { fontFamily: "var(--md-code-font-family, monospace)", lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--md-code-fg-color)", paddingBlock: "0.5rem" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--md-default-fg-color--light)", border: "0" },
  ".cm-selectionMatch, &.cm-focused .cm-matchingBracket": { backgroundColor: "transparent", outline: "1px solid currentColor" },
})

/** 在 `host` 里放一个编辑器；放在影子树里，样式才不受内容安全策略的限制。 */
export function edit(host, { text, label, change, run }) {
  const root = host.attachShadow({ mode: "open" })
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        history(),
        indentOnInput(),
        bracketMatching(),
        indentUnit.of("    "),
        EditorState.tabSize.of(4),
        EditorView.lineWrapping,
        new LanguageSupport(pythonLanguage),
        syntaxHighlighting(colours),
        look,
        EditorView.contentAttributes.of({ "aria-label": label, autocapitalize: "off", autocorrect: "off" }),
        EditorView.updateListener.of(update => update.docChanged && change(update.state.doc.toString())),
        keymap.of([
          { key: "Mod-Enter", run: () => (run(), true) },
          { key: "Mod-]", run: indentMore },
          { key: "Mod-[", run: indentLess },
          ...defaultKeymap.filter(binding => binding.key !== "Mod-Enter"),
          ...historyKeymap,
        ]),
      ],
    }),
  })
  return {
    get text() { return view.state.doc.toString() },
    set text(value) { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } }) },
    focus: () => view.focus(),
  }
}
