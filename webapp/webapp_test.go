package webapp_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A code without a sentence would reach a person as "This did not work".
func TestEveryCodeHasASentence(t *testing.T) {
	codes := regexp.MustCompile(`Code = "([a-z-]+)"`).FindAllStringSubmatch(read(t, "../protocol/api/codes.go"), -1)
	if len(codes) < 30 {
		t.Fatalf("got %d codes, want the whole set", len(codes))
	}
	sentences := read(t, "src/sentences.ts")
	for _, code := range codes {
		if !strings.Contains(sentences, "\n  \""+code[1]+"\": {") && !strings.Contains(sentences, "\n  "+code[1]+": {") {
			t.Errorf("sentences.ts has no sentence for %q", code[1])
		}
	}
}

// What would open a door for markup or for code made from text stands in no source of the page.
func TestSourcesKeepTheRules(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.style\b|\balert\(|: any\b|as any\b`)
	for _, folder := range []string{"src", "src/screens"} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.IsDir() {
				continue
			}
			if found := forbidden.FindString(read(t, folder+"/"+entry.Name())); found != "" {
				t.Errorf("%s/%s: got %q, want none of it", folder, entry.Name(), found)
			}
		}
	}
}

// The tests beside the sources run in Node, bundled, because Node 20 reads no TypeScript.
func TestTypeScript(t *testing.T) {
	tests, err := filepath.Glob("src/*.test.ts")
	if err != nil || len(tests) == 0 {
		t.Fatalf("got %d tests (%v), want some", len(tests), err)
	}
	for _, test := range tests {
		bundle := filepath.Join(t.TempDir(), "bundle.test.mjs")
		command(t, "go", "tool", "-modfile=test/tools.mod", "esbuild", "webapp/"+test, "--bundle", "--platform=node", "--format=esm", "--log-level=warning", "--outfile="+bundle)
		command(t, "node", "--test", bundle)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
