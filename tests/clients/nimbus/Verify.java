import static com.nimbusds.jose.jwk.source.JWKSourceBuilder.DEFAULT_HTTP_SIZE_LIMIT;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.util.Set;

/** A relying party on Nimbus: {@code Verify URL ISSUER AUDIENCE}. It keeps the JWKS as JWKSourceBuilder does by default. */
public final class Verify {
    /** How long it waits for an answer. By default half a second, which a busy machine may need for anything. */
    private static final int TIMEOUT_MILLISECONDS = 20_000;

    public static void main(String[] arguments) throws Exception {
        var retriever = new DefaultResourceRetriever(TIMEOUT_MILLISECONDS, TIMEOUT_MILLISECONDS, DEFAULT_HTTP_SIZE_LIMIT);
        JWKSource<SecurityContext> keys =
            JWKSourceBuilder.<SecurityContext>create(URI.create(arguments[0]).toURL(), retriever).build();
        var expected = new JWTClaimsSet.Builder().issuer(arguments[1]).build();
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(Set.of(JWSAlgorithm.RS256, JWSAlgorithm.ES256), keys));
        processor.setJWTClaimsSetVerifier(new DefaultJWTClaimsVerifier<>(arguments[2], expected, Set.of("exp")));
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String token; (token = lines.readLine()) != null; ) {
            System.out.println(verdict(processor, token));
        }
    }

    private static String verdict(DefaultJWTProcessor<SecurityContext> processor, String token) {
        try {
            processor.process(token, null);
            return "ok";
        } catch (Exception error) {
            return error.getClass().getSimpleName();
        }
    }
}
