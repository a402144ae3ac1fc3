// Package webapp holds the built page, its worker and its module. webapp/build makes them; Files serves them.
package webapp

import (
	"embed"
	"errors"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns what webapp/build made: index.html, manifest.json and a/…, each beside its .gz and .br.
// A fresh clone has none of it, and the error says what to do.
func Files() (fs.FS, error) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(files, "index.html"); err != nil {
		return nil, errors.New("the screens have not been built: run make")
	}
	return files, nil
}
