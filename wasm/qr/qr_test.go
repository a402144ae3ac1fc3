package qr

import (
	"fmt"
	"strings"
	"testing"
)

// TestOf draws the path on a board and looks at what every QR code has: three finders in its corners, light around it. That a
// camera reads it is shown by test/e2e.
func TestOf(t *testing.T) {
	code, err := Of("otpauth://totp/Underseal:ada%40firm.example?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Underseal")
	if err != nil {
		t.Fatal(err)
	}
	board := make([][]bool, code.Size)
	for y := range board {
		board[y] = make([]bool, code.Size)
	}
	for bar := range strings.SplitSeq(strings.TrimPrefix(code.Path, "M"), "M") {
		var x, y, width, back int
		if n, err := fmt.Sscanf(bar, "%d %dh%dv1h-%dz", &x, &y, &width, &back); n != 4 || err != nil || width != back {
			t.Fatalf("not a bar: %q", bar)
		}
		for i := range width {
			board[y][x+i] = true
		}
	}
	if (code.Size-2*Quiet-17)%4 != 0 {
		t.Errorf("%d modules a side", code.Size-2*Quiet)
	}
	for i := range code.Size {
		for d := range Quiet {
			if board[d][i] || board[code.Size-1-d][i] || board[i][d] || board[i][code.Size-1-d] {
				t.Fatal("the quiet zone is not quiet")
			}
		}
	}
	far := code.Size - Quiet - 7
	for _, corner := range [][2]int{{Quiet, Quiet}, {far, Quiet}, {Quiet, far}} {
		for y := range 7 {
			for x := range 7 {
				ring := max(abs(x-3), abs(y-3))
				if board[corner[1]+y][corner[0]+x] != (ring != 2) {
					t.Fatalf("no finder at %v", corner)
				}
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestTooLong(t *testing.T) {
	if _, err := Of(strings.Repeat("x", 5000)); err == nil {
		t.Error("drew what no code holds")
	}
}
