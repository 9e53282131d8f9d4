// Renders a Helm chart's templates with the engine that Helm uses, text/template, and the few of its
// functions that the chart calls. For tests: values and release come as JSON on stdin, documents go
// to stdout.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

func toJSON(value interface{}) (string, error) {
	text, err := json.Marshal(value)
	return string(text), err
}

// toYAML writes maps and lists as blocks, and scalars as JSON, which YAML takes as well.
func toYAML(value interface{}) (string, error) {
	var lines []string
	switch value := value.(type) {
	case map[string]interface{}:
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		for _, key := range keys {
			text, err := toYAML(value[key])
			if err != nil {
				return "", err
			}
			lines = append(lines, key+":"+below(value[key], text))
		}
	case []interface{}:
		for _, item := range value {
			text, err := toYAML(item)
			if err != nil {
				return "", err
			}
			lines = append(lines, "- "+strings.ReplaceAll(text, "\n", "\n  "))
		}
	}
	if len(lines) == 0 {
		return toJSON(value)
	}
	return strings.Join(lines, "\n"), nil
}

// below puts a block under its key, and a scalar or what is empty beside it.
func below(value interface{}, text string) string {
	switch value.(type) {
	case map[string]interface{}, []interface{}:
		if !isEmpty(value) {
			return "\n  " + strings.ReplaceAll(text, "\n", "\n  ")
		}
	}
	return " " + text
}

func isEmpty(value interface{}) bool {
	truth, _ := template.IsTrue(value)
	return !truth
}

func functions(whole *template.Template) template.FuncMap {
	return template.FuncMap{
		"toJson":   toJSON,
		"toYaml":   toYAML,
		"quote":    func(value interface{}) (string, error) { return toJSON(fmt.Sprint(value)) },
		"toString": func(value interface{}) string { return fmt.Sprint(value) },
		"list":     func(items ...interface{}) []interface{} { return items },
		"has": func(item interface{}, items []interface{}) bool {
			for _, one := range items {
				if one == item {
					return true
				}
			}
			return false
		},
		"default": func(otherwise, value interface{}) interface{} {
			if isEmpty(value) {
				return otherwise
			}
			return value
		},
		"required": func(words string, value interface{}) (interface{}, error) {
			if isEmpty(value) {
				return nil, errors.New(words)
			}
			return value, nil
		},
		"fail": func(words string) (string, error) { return "", errors.New(words) },
		"nindent": func(count int, text string) string {
			space := "\n" + strings.Repeat(" ", count)
			return space + strings.ReplaceAll(text, "\n", space)
		},
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := whole.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
	}
}

func main() {
	var data map[string]interface{}
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	check(decoder.Decode(&data))
	whole := template.New("chart").Option("missingkey=error")
	whole.Funcs(functions(whole))
	paths, err := filepath.Glob(filepath.Join(os.Args[1], "templates", "*"))
	check(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(err)
		_, err = whole.New(filepath.Base(path)).Parse(string(text))
		check(err)
	}
	for _, path := range paths {
		if filepath.Ext(path) == ".yaml" {
			fmt.Println("---")
			check(whole.ExecuteTemplate(os.Stdout, filepath.Base(path), data))
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
