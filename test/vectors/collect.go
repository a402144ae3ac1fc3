package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/c2sp/wycheproof"

	"github.com/underseal/underseal/test/vectors/pack"
)

// collect reads all vectors. Those of the specifications stay empty when their
// folder is absent; everything else must be there.
func (h *harness) collect() (pack.Pack, error) {
	var p pack.Pack
	var err error
	if _, statErr := os.Stat(h.vectors); statErr == nil {
		if p.Floe, err = h.floe(); err != nil {
			return p, err
		}
		if p.Composite, err = os.ReadFile(filepath.Join(h.vectors, "composite-mldsa65-ed25519.json")); err != nil {
			return p, err
		}
	} else if !errors.Is(statErr, os.ErrNotExist) {
		return p, statErr
	}
	if p.Wycheproof, err = wycheproofFiles(); err != nil {
		return p, err
	}
	if p.HPKE, err = os.ReadFile(filepath.Join(h.goroot, "src", "crypto", "hpke", "testdata", "hpke-pq.json")); err != nil {
		return p, err
	}
	if p.VRF, err = os.ReadFile(filepath.Join(h.root, "keys", "vrf", "testdata", "rfc9381.json")); err != nil {
		return p, err
	}
	if p.Opaque, err = jsonFiles(filepath.Join(h.root, "keys", "opaque", "testdata", "*.json")); err != nil {
		return p, err
	}
	if p.TOTP, err = os.ReadFile(filepath.Join(h.root, "server", "auth", "totp", "testdata", "rfc6238.json")); err != nil {
		return p, err
	}
	if p.Own, err = jsonFiles(filepath.Join(h.root, "keys", "testdata", "*.json")); err != nil {
		return p, err
	}
	p.Formats, err = jsonFiles(filepath.Join(h.root, "protocol", "testdata", "*.json"))
	return p, err
}

// floe reads every pair of files. What the parameters are is in their names.
func (h *harness) floe() ([]pack.Floe, error) {
	files, err := filepath.Glob(filepath.Join(h.vectors, "floe", "*_ct.txt"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no known answers of FLOE in %s", h.vectors)
	}
	var vectors []pack.Floe
	for _, file := range files {
		stem := strings.TrimSuffix(file, "_ct.txt")
		v := pack.Floe{Name: filepath.Base(stem), RotationBits: 20}
		switch {
		case strings.HasSuffix(stem, "_4K"):
			v.Segment = 4096
		case strings.HasSuffix(stem, "_64"):
			v.Segment = 64
		case strings.HasSuffix(stem, "_rotation"):
			v.Segment, v.RotationBits = 40, 2
		case strings.Contains(stem, "_lastSeg"):
			v.Segment = 40
		default:
			return nil, fmt.Errorf("unknown known answer %s", v.Name)
		}
		ciphertext, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		plaintext, err := os.ReadFile(stem + "_pt.txt")
		if err != nil {
			return nil, err
		}
		v.Ciphertext, v.Plaintext = string(ciphertext), string(plaintext)
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// wycheproofFiles are from the module itself, which embeds them.
func wycheproofFiles() (map[string]json.RawMessage, error) {
	files := map[string]json.RawMessage{}
	for _, name := range []string{
		"aes_gcm_test", "hkdf_sha384_test", "hkdf_sha512_test", "ed25519_test",
		"mldsa_65_verify_test", "mldsa_65_sign_seed_test",
		// Not the ones for expanded private keys: ours are seeds.
		"mlkem_768_test", "mlkem_768_encaps_test", "mlkem_768_keygen_seed_test",
	} {
		data, err := fs.ReadFile(wycheproof.TestVectors, name+".json")
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}

func jsonFiles(pattern string) (map[string]json.RawMessage, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no files %s", pattern)
	}
	files := map[string]json.RawMessage{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		files[strings.TrimSuffix(filepath.Base(path), ".json")] = data
	}
	return files, nil
}

func (h *harness) packFile() string { return filepath.Join(h.out, "pack.json") }

func (h *harness) write(p pack.Pack) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(h.packFile(), data, 0o644)
}

// moduleFolder is where the go command keeps a module that test/go.mod names.
func moduleFolder(ctx context.Context, path string) (string, error) {
	folder, err := output(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", path)
	if err == nil && folder == "" {
		err = fmt.Errorf("module %s is not downloaded: go mod download", path)
	}
	return folder, err
}

func output(ctx context.Context, folder, name string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Stderr = folder, os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
