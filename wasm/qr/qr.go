// Package qr draws what a camera reads, as one path of SVG: a page draws it without markup, pictures or styles of anybody's.
package qr

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Quiet is how many modules around the code stay empty, as ISO/IEC 18004 wants.
const Quiet = 4

// Code is a drawing: Path fills the dark modules in a square of Size by Size, with the quiet zone in it.
type Code struct {
	Size int    `json:"size"`
	Path string `json:"path"`
}

// Of draws text. Level M mends what a reflection hides, and leaves the modules large enough for a small screen.
func Of(text string) (Code, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return Code{}, err
	}
	side := code.Bounds().Dx()
	dark := func(x, y int) bool {
		r, _, _, _ := code.At(x, y).RGBA()
		return r == 0
	}
	var path strings.Builder
	for y := range side {
		for x := 0; x < side; x++ {
			from := x
			for x < side && dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", Quiet+from, Quiet+y, x-from, x-from)
			}
		}
	}
	return Code{Size: side + 2*Quiet, Path: path.String()}, nil
}
