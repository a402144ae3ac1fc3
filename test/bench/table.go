package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is one table of the report.
type table struct {
	title string
	head  []string
	rows  [][]string
	notes []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) note(format string, args ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

// markdown is the table with its columns aligned, so that it can be read as it is.
func (t table) markdown() string {
	all := append([][]string{t.head}, t.rows...)
	widths := make([]int, len(t.head))
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	out.WriteString("### " + t.title + "\n\n")
	for i, row := range all {
		out.WriteString("|")
		for j, width := range widths {
			cell := ""
			if j < len(row) {
				cell = row[j]
			}
			out.WriteString(" " + cell + strings.Repeat(" ", width-utf8.RuneCountInString(cell)) + " |")
		}
		out.WriteString("\n")
		if i == 0 {
			out.WriteString("|" + strings.Repeat("---|", len(widths)) + "\n")
		}
	}
	for _, note := range t.notes {
		out.WriteString("\n" + note + "\n")
	}
	return out.String()
}

// expectations are beside every measurement that has one.
func expectations(title string) table {
	return table{title: title, head: []string{"what", "expected", "measured", ""}}
}

const (
	okay   = "ok"
	missed = "missed"
)

func verdict(met bool) string {
	if met {
		return okay
	}
	return missed
}

func (t *table) atLeast(what string, got, want float64) {
	t.add(what, fmt.Sprintf("at least %.2f", want), fmt.Sprintf("%.2f", got), verdict(got >= want))
}

func (t *table) atMost(what string, got, want float64) {
	t.add(what, fmt.Sprintf("at most %.2f", want), fmt.Sprintf("%.2f", got), verdict(got <= want))
}

// told is a measurement that nothing was expected of.
func (t *table) told(what, got string) { t.add(what, "", got, "") }

func median(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	switch n := len(s); {
	case n == 0:
		return 0
	case n%2 == 1:
		return s[n/2]
	default:
		return (s[n/2-1] + s[n/2]) / 2
	}
}
