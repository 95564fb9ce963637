// A relying party on go-oidc: `verify URL ISSUER AUDIENCE`. It keeps the JWKS as RemoteKeySet does.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func main() {
	url, issuer, audience := os.Args[1], os.Args[2], os.Args[3]
	ctx := context.Background()
	algorithms := []string{oidc.RS256, oidc.ES256}
	verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, url), &oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if _, err := verifier.Verify(ctx, lines.Text()); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " ")) // Go's errors have no names
		} else {
			fmt.Println("ok")
		}
	}
}
