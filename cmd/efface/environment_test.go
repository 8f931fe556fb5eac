package main

import (
	"strings"
	"testing"
)

func TestAMistypedVariableIsNamed(t *testing.T) {
	t.Parallel()
	for variable, want := range map[string]string{
		"EFFACE_WITNES=/w":         "efface: EFFACE_WITNES is no setting of Efface, and is not used; did you mean EFFACE_WITNESS?\n",
		"EFFACE_TRUSTED_PROXIES=x": "efface: EFFACE_TRUSTED_PROXIES is no setting of Efface, and is not used; did you mean EFFACE_TRUSTED_PROXY?\n",
		"EFFACE_COLOUR=red":        "efface: EFFACE_COLOUR is no setting of Efface, and is not used.\n",
		"EFFACE_ACCEPT_LOSS=true":  "efface: EFFACE_ACCEPT_LOSS is no setting of Efface, and is not used.\n",
		"EFFACE_WITHOUT_WITNESS=1": "efface: EFFACE_WITHOUT_WITNESS is no setting of Efface, and is not used.\n",
		"EFFACE_WITNESS=/w":        "",
		"EFFACE_PEOPLE=10":         "", // of another command
		"EFFACE_WITNES=":           "",
		"PATH=/bin":                "",
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), []string{"version"}, program{
			stdout: &stdout, stderr: &stderr, assets: builtIn, environ: []string{variable},
			env: func(string) (string, bool) { return "", false },
		})
		if code != 0 || stderr.String() != want {
			t.Errorf("with %s the command ends with %d and says %q, not %q", variable, code, stderr.String(), want)
		}
	}
}
