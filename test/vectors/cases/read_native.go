//go:build vectors && !js

package main

import (
	"errors"
	"os"
)

func readPack(args []string) ([]byte, error) {
	if len(args) != 2 {
		return nil, errors.New("usage: cases PACK")
	}
	return os.ReadFile(args[1])
}

func scope() string { return "" }
