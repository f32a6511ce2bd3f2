// Halves the picture: the mean of 2x2 colours (one look between the four) over the sky, and one of their depths in metres.
in vec2 v_at, v_corner;
in vec3 v_dir;
flat in vec3 v_nadir;
uniform sampler2D u_colour, u_depth;
uniform vec2 u_range;         // near, far
layout(location = 0) out vec4 f_colour;
layout(location = 1) out float f_depth;

// What sky_colour says, at less cost. Below the horizon, where land is too far to be drawn, it fades into what it would
// be at one's feet.
vec3 open_sky(vec3 dir) {
    float high = max(dir.z, 0.0);
    float scale = inversesqrt(dot(dir.xy, dir.xy) + high * high), up = high * scale, down = (high - dir.z) * scale;
    float fading = exp(-3.2 * up), toward = 0.5 + 0.5 * dot(vec3(dir.xy, high), u_sun_dir) * scale;
    toward *= toward;
    toward *= 0.85 * toward * toward * fading * (1.0 + up * (0.2 + up * (0.02 + up * 0.00133)));     // exp(-3 up)
    vec3 sky = mix(mix(u_zenith, u_horizon, fading), u_glow, toward);
    return mix(sky, v_nadir, down / (1.0 + down));
}

void main() {
    vec4 drawn = texture(u_colour, v_at);
    f_colour = vec4(drawn.rgb + (1.0 - drawn.a) * open_sky(v_dir), 1.0);
    f_depth = u_range.x * u_range.y / (u_range.y - texture(u_depth, v_corner).r * (u_range.y - u_range.x));
}
