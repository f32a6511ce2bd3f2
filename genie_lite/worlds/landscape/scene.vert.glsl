// Land, water and everything that stands on it. A face takes its whole colour from its last vertex.
in vec3 in_position;
in vec4 in_normal;            // bytes 1 to 255 for -1 to 1; w: 1 shines, -1 shines at night
in vec4 in_colour;            // w: 1 is water
flat out vec3 v_colour;

void main() {
    vec4 normal = in_normal * (255.0 / 127.0) - (128.0 / 127.0);
    vec3 ray = in_position - u_eye;
    float range = length(ray);
    vec3 dir = ray / range;
    gl_Position = u_camera * vec4(ray, 1.0);
    vec3 air = horizon_colour(dir);
    float grazing = 1.0 + dir.z;
    grazing *= grazing;
    float shine = max(normal.w, 0.0);
    vec3 colour = in_colour.rgb * shade(normal.xyz);
    colour = mix(colour, 0.6 * air + 0.4 * u_zenith, in_colour.a * 0.5 * grazing * grazing * (1.0 - shine));
    colour = mix(colour, in_colour.rgb * 1.05, shine);
    float lamp = max(-normal.w, 0.0) * u_night;
    colour = mix(colour, vec3(1.0, 0.82, 0.45), lamp);
    float far = min(range / u_visibility, 1.0);
    float clear = 1.0 - far * far * far;
    clear *= clear;
    v_colour = mix(air, colour, clear + max(shine, lamp) * 0.35 * clear * (1.0 - clear));
}
