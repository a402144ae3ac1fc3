package browser

import (
	"strconv"
	"strings"
)

// SaveKit goes through the screen of a recovery kit as somebody who wrote it down, and is what he wrote.
func (b *Browser) SaveKit() string {
	b.t.Helper()
	b.See("#kit-text")
	kit := strings.Join(strings.Fields(b.String(`document.querySelector("#kit-text").innerText`)), "")
	b.Click("#kit-saved")
	b.Click("#kit-confirm")
	b.TestKit(kit)
	return kit
}

// TestKit types the two groups of a kit that are asked for, and waits for it to be in force.
func (b *Browser) TestKit(kit string) {
	b.t.Helper()
	b.See("#kit-test")
	groups := strings.Split(kit, "-")
	for _, n := range strings.Fields(b.String(`[...document.querySelectorAll(".kit-group")].map((i) => i.dataset.group).join(" ")`)) {
		group, err := strconv.Atoi(n)
		b.must(err)
		b.Fill("#kit-group-"+n, groups[group-1])
	}
	b.Click("#kit-test")
	b.Until("the kit is in force", Patience, `!document.querySelector("#kit-test")?.checkVisibility()`)
}
