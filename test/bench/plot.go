package main

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

type point struct{ x, y float64 }

// series is one line.
type series struct {
	name   string
	points []point
}

// panel is one small plot. Its x axis is logarithmic, its y axis begins at 0: no slope looks steeper than it is.
type panel struct {
	title, unit string
	lines       []series
}

const (
	panelWidth, panelHeight = 460, 290
	plotLeft, plotRight     = 64, 20
	plotTop, plotBottom     = 66, 52
)

// plotStyle works on white and on black. Lines differ by their marks and dashes as well, for who sees no colours.
const plotStyle = `
text{font:13px system-ui,sans-serif;fill:#1f2328}
.title{font-weight:600;font-size:15px}.head{font-weight:600;font-size:18px}.faint{fill:#59636e}
.grid{stroke:#d1d9e0}.axis{stroke:#59636e}.back{fill:#fff}
.l0{stroke:#0b57b0;fill:#0b57b0}.l1{stroke:#b3470a;fill:#b3470a}.l2{stroke:#1a7f4b;fill:#1a7f4b}
path{fill:none!important;stroke-width:2}path.l1{stroke-dasharray:7 4}path.l2{stroke-dasharray:2 4}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.faint{fill:#9198a1}.grid{stroke:#3d444d}.axis{stroke:#9198a1}.back{fill:#0d1117}
.l0{stroke:#6cb0ff;fill:#6cb0ff}.l1{stroke:#ffa657;fill:#ffa657}.l2{stroke:#56d38a;fill:#56d38a}}
`

// plot draws panels, two beside each other, as an SVG that needs nothing else.
func plot(title, xLabel string, panels []panel) string {
	const head = 40
	width, height := 2*panelWidth, head+(len(panels)+1)/2*panelHeight
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s"><style>%s</style>`, width, height, html.EscapeString(title), plotStyle)
	fmt.Fprintf(&b, `<rect class="back" width="%d" height="%d"/><text class="head" x="16" y="28">%s</text>`, width, height, html.EscapeString(title))
	for i, p := range panels {
		fmt.Fprintf(&b, "\n"+`<g transform="translate(%d %d)">`, i%2*panelWidth, head+i/2*panelHeight)
		p.draw(&b, xLabel)
		b.WriteString(`</g>`)
	}
	b.WriteString("\n</svg>\n")
	return b.String()
}

func (p panel) draw(b *strings.Builder, xLabel string) {
	low, high, top := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range p.lines {
		for _, at := range l.points {
			low, high, top = min(low, math.Log10(at.x)), max(high, math.Log10(at.x)), max(top, at.y)
		}
	}
	step := niceStep(top)
	top = math.Ceil(top/step) * step
	const right, bottom = panelWidth - plotRight, panelHeight - plotBottom
	x := func(v float64) float64 {
		return plotLeft + 16 + (math.Log10(v)-low)/max(high-low, 1e-9)*(right-plotLeft-32)
	}
	y := func(v float64) float64 { return bottom - v/top*(bottom-plotTop) }
	fmt.Fprintf(b, `<text class="title" x="16" y="20">%s</text><text class="faint" x="16" y="38">%s</text>`, html.EscapeString(p.title), html.EscapeString(p.unit))
	for v := 0.0; v <= top+step/2; v += step {
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="faint" x="%d" y="%.1f" text-anchor="end">%s</text>`,
			plotLeft, right, y(v), y(v), plotLeft-8, y(v)+4, strconv.FormatFloat(v, 'f', decimals(step), 64))
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`, plotLeft, right, bottom, bottom)
	for e := math.Ceil(low); e <= high+1e-9; e++ {
		at := x(math.Pow(10, e))
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/><text class="faint" x="%.1f" y="%d" text-anchor="middle">10<tspan dy="-5" font-size="10">%.0f</tspan></text>`,
			at, at, bottom, bottom+5, at, bottom+20, e)
	}
	fmt.Fprintf(b, `<text class="faint" x="%d" y="%d" text-anchor="middle">%s</text>`, (plotLeft+right)/2, bottom+40, html.EscapeString(xLabel))
	p.drawLines(b, x, y)
}

func (p panel) drawLines(b *strings.Builder, x, y func(float64) float64) {
	legend := 16.0
	for i, l := range p.lines {
		var path []string
		for _, at := range l.points {
			path = append(path, fmt.Sprintf("%.1f %.1f", x(at.x), y(at.y)))
			b.WriteString(mark(i, x(at.x), y(at.y)))
		}
		fmt.Fprintf(b, `<path class="l%d" d="M%s"/>`, i, strings.Join(path, "L"))
		b.WriteString(mark(i, legend+4, 52))
		fmt.Fprintf(b, `<text x="%.0f" y="56">%s</text>`, legend+14, html.EscapeString(l.name))
		legend += 32 + 7*float64(len(l.name))
	}
}

// mark is the sign of line number i at a place: a disc, a square or a triangle.
func mark(i int, x, y float64) string {
	switch i {
	case 0:
		return fmt.Sprintf(`<circle class="l0" cx="%.1f" cy="%.1f" r="4"/>`, x, y)
	case 1:
		return fmt.Sprintf(`<rect class="l1" x="%.1f" y="%.1f" width="7" height="7"/>`, x-3.5, y-3.5)
	default:
		return fmt.Sprintf(`<polygon class="l2" points="%.1f,%.1f %.1f,%.1f %.1f,%.1f"/>`, x, y-4.5, x-4.5, y+4, x+4.5, y+4)
	}
}

// niceStep is 1, 2 or 5 times a power of ten, so that there are four to ten of them up to top.
func niceStep(top float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(max(top, 1e-9)/4)))
	for _, m := range []float64{1, 2, 5} {
		if top/(m*unit) <= 8 {
			return m * unit
		}
	}
	return 10 * unit
}

func decimals(step float64) int { return int(max(0, -math.Floor(math.Log10(step)+1e-9))) }
