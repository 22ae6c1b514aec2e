package target

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Variant is the project's server with flags of its own, under a name of its own. The
// zero one is the server as it comes.
type Variant struct {
	Name  string
	Flags string // as on a command line, without quotes: no flag here has spaces in it
}

// ready are the variants that need no definition.
var ready = []Variant{{}, {"shared", "--accept shared"}, {"no-lane", "--fast-lane=off"}}

var variantName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// ParseVariant reads name=--flag value.
func ParseVariant(text string) (Variant, error) {
	name, flags, _ := strings.Cut(text, "=")
	v := Variant{name, strings.Join(strings.Fields(flags), " ")}
	switch {
	case !variantName.MatchString(name):
		return Variant{}, fmt.Errorf("%q is no name for a variant; use a-z, 0-9 and single hyphens: name='--flag value'", name)
	case slices.ContainsFunc(ready, func(r Variant) bool { return r.Name == name }):
		return Variant{}, fmt.Errorf("the variant %s is there already; choose another name", name)
	case !strings.HasPrefix(v.Flags, "--"):
		return Variant{}, fmt.Errorf("variant %s: %q begins with no flag; write %s='--flag value'", name, flags, name)
	}
	return v, nil
}

// Target is the name that Named knows it by.
func (v Variant) Target() string {
	if v.Name == "" {
		return "fondue"
	}
	return "fondue-" + v.Name
}
