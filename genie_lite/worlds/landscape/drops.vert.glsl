// Rain and snow fall in a box around the eye that wraps, so that they pass by as one walks.
uniform float u_snow, u_amount;
in vec3 in_seed;
out vec4 v_drop;
const vec3 BOX = vec3(13.0, 13.0, 9.0);

void main() {
    vec3 fall = u_snow > 0.5 ? vec3(0.7 * sin(in_seed.x * 40.0), 0.7 * cos(in_seed.y * 40.0), -1.6) : vec3(0.6, 0.4, -11.0);
    vec3 at = (fract(in_seed + (fall * u_time - u_eye) / BOX) - 0.5) * BOX;
    vec3 side = normalize(vec3(at.y, -at.x, 0.0001));
    float low = u_snow > 0.5 ? 0.05 : 0.55;
    float wide = u_snow > 0.5 ? 0.045 : 0.02;
    int corner = gl_VertexID % 3;
    at += corner == 0 ? -wide * side : corner == 1 ? wide * side : low * (u_snow > 0.5 ? vec3(0.0, 0.0, 1.5) : -fall / 11.0);
    gl_Position = u_camera * vec4(at, 1.0);
    float near = smoothstep(0.8, 1.8, length(at));
    vec3 colour = u_snow > 0.5 ? u_skylight * 1.1 + u_sun_colour + 0.12 : mix(u_horizon, vec3(1.0), 0.25);
    v_drop = vec4(min(colour, vec3(1.0)), near * (u_snow > 0.5 ? 0.9 : 0.5) * step(in_seed.z * 0.5 + in_seed.x * 0.5, u_amount));
}
