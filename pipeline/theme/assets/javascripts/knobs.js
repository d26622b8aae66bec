// 旋钮：换一个值，就换上构建时用这个值运行的输出，和代码里的字面量。
// 设置写在网址的 ? 后面；每到一页，Material 就再运行一次这个脚本。
{
  const folder = new URL("../knobs/", document.currentScript.src)

  // 取来一块的各个设置；一块至多取一次。
  const load = ({ name, version }) => (load[name] ??= new Promise(resolve => {
    const script = document.createElement("script")
    script.src = new URL(`${name}.js?${version}`, folder)
    script.onload = () => resolve(globalThis.variants[name])
    document.head.append(script)
  }))

  const setUp = panel => {
    const cell = panel.closest(".cell")
    const output = cell.querySelector(".output")
    const literals = cell.querySelectorAll(".literal")
    const controls = [...panel.children].map(control => {
      const inputs = [...control.querySelectorAll("input")]
      const range = inputs[0].type === "range"
      return {
        key: control.dataset.key,
        text: control.querySelector("span"),
        range: range && inputs[0],
        get: () => range ? Number(inputs[0].value) : inputs.findIndex(i => i.checked),
        set(n) { range ? inputs[0].value = n : inputs[n].checked = true },
      }
    })
    const first = controls.map(control => control.get())
    let shown = `${first}`

    const show = ({ texts, literals: code, outputs }) => {
      const setting = controls.map(control => control.get())
      if (shown === `${setting}`) return
      shown = `${setting}`
      output.innerHTML = outputs[setting.reduce((n, at, k) => n * texts[k].length + at, 0)]
      setting.forEach((at, k) => {
        literals[k].innerHTML = code[k][at]
        if (!controls[k].range) return
        controls[k].text.textContent = controls[k].range.ariaValueText = texts[k][at]
      })
    }

    // 网址里的设置；没有写的旋钮回到缺省的值。
    const read = async () => {
      const query = new URLSearchParams(location.search)
      if (shown === `${first}` && !controls.some(({ key }) => query.has(key))) return
      const data = await load(panel.dataset)
      controls.forEach(({ key, set }, k) => {
        const at = data.texts[k].indexOf(query.get(key))
        set(at < 0 ? first[k] : at)
      })
      show(data)
    }

    panel.addEventListener("input", async () => show(await load(panel.dataset)))
    panel.addEventListener("change", async () => {
      const { texts } = await load(panel.dataset)
      const url = new URL(location)
      controls.forEach(({ key, get }, k) => {
        if (get() === first[k]) url.searchParams.delete(key)
        else url.searchParams.set(key, texts[k][get()])
      })
      history.replaceState(history.state, "", url)
    })
    new IntersectionObserver((entries, observer) => {
      if (!entries.some(entry => entry.isIntersecting)) return
      observer.disconnect()
      load(panel.dataset)
    }, { rootMargin: "800px" }).observe(panel)
    return read
  }

  const panels = [...document.querySelectorAll(".knobs")].map(setUp)
  panels.forEach(read => read())
  let search = location.search
  const follow = () => {
    if (search === location.search) return
    search = location.search
    panels.forEach(read => read())
  }
  if (globalThis.navigation) navigation.oncurrententrychange = follow
  else onpopstate = follow
}
